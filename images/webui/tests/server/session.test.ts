import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { reply, type FakeBackend } from "../fake-backend.js";
import { appFor, CREDENTIALS, CSRF, setCookies, signIn, startHarness } from "./harness.js";

let backend: FakeBackend;
let app: ReturnType<typeof appFor>;

beforeEach(async () => {
  ({ backend, app } = await startHarness());
});
afterEach(() => backend.stop());

describe("login", () => {
  it("answers the user, and the tokens only in HttpOnly cookies", async () => {
    const answer = await request(app).post("/bff/login").set(CSRF).send(CREDENTIALS).expect(200);
    expect(answer.body).toEqual({ user: expect.objectContaining({ email: "admin@example.com", role: "admin" }) });
    expect(answer.text).not.toMatch(/access-|refresh-|token/);
    expect(setCookies(answer)).toHaveLength(2);
    for (const cookie of setCookies(answer)) {
      expect(cookie).toMatch(/^triptych_(access|refresh)=/);
      expect(cookie).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/);
    }
  });

  it("takes a second step where the account has one, and keeps its tokens as well", async () => {
    const challenge = { challenge_token: "challenge-1", expires_in: 300 };
    backend.routes.set("POST /api/v1/auth/login", (_req, res) => reply(res, 202, challenge));
    const first = await request(app).post("/bff/login").set(CSRF).send(CREDENTIALS).expect(202);
    expect(first.body).toEqual(challenge);
    expect(setCookies(first)).toEqual([]);
    const tokens = { access_token: "access-2", refresh_token: "refresh-2", token_type: "Bearer", expires_in: 600, user: { id: 1 } };
    let seen = "";
    backend.routes.set("POST /api/v1/auth/login/second-factor", (req, res) => {
      seen = `${req.body} ${req.headers["user-agent"]}`;
      reply(res, 200, tokens);
    });
    const body = { challenge_token: "challenge-1", code: "123456" };
    const second = await request(app).post("/bff/login/second-factor").set({ ...CSRF, "User-Agent": "Browser/1" }).send(body).expect(200);
    expect(second.body).toEqual({ user: { id: 1 } });
    expect(setCookies(second)).toHaveLength(2);
    expect(seen).toBe(`${JSON.stringify(body)} Browser/1`);
  });

  it("pins the cookies to host and TLS behind a TLS proxy", async () => {
    const answer = await request(app)
      .post("/bff/login")
      .set({ ...CSRF, "X-Forwarded-Proto": "https" })
      .send(CREDENTIALS);
    expect(setCookies(answer)).toHaveLength(2);
    for (const cookie of setCookies(answer)) {
      expect(cookie).toMatch(/^__Host-triptych_(access|refresh)=/);
      expect(cookie).toMatch(/; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
      expect(cookie).not.toMatch(/domain/i);
    }
  });

  it.each([
    [401, {}],
    [429, { "retry-after": "17" }],
    [503, { "retry-after": "5" }],
  ])("relays a refusal %i with its headers and sets no cookie", async (status, headers) => {
    const problem = { type: "about:blank", title: "No", status };
    backend.routes.set("POST /api/v1/auth/login", (_req, res) => reply(res, status, problem, headers));
    const answer = await request(app).post("/bff/login").set(CSRF).send(CREDENTIALS).expect(status);
    expect(answer.type).toBe("application/problem+json");
    expect(answer.body).toEqual(problem);
    expect(answer.headers).toMatchObject(headers);
    expect(setCookies(answer)).toEqual([]);
  });

  it("refuses broken JSON and a body beyond 16 kB without asking the backend", async () => {
    const json = { ...CSRF, "Content-Type": "application/json" };
    const broken = await request(app).post("/bff/login").set(json).send("{").expect(400);
    expect(broken.type).toBe("application/problem+json");
    await request(app).post("/bff/login").set(json).send({ email: "x".repeat(20_000) }).expect(413);
    expect(backend.seen).toEqual([]);
  });

  it("answers 503 with problem details when the backend is away", async () => {
    await backend.stop();
    const answer = await request(app).post("/bff/login").set(CSRF).send(CREDENTIALS).expect(503);
    expect(answer.type).toBe("application/problem+json");
    expect(answer.headers["retry-after"]).toBe("5");
    await backend.start();
  });
});

describe("session", () => {
  it("is 401 without cookies, and the configuration says so without an error", async () => {
    await request(app).get("/bff/session").expect(401);
    const config = await request(app).get("/bff/config").expect(200);
    expect(config.body).toEqual({ environment: "alpha", version: "1.2.3", signed_in: false });
    expect(config.headers["cache-control"]).toBe("no-store");
  });

  it("answers the user of the access cookie", async () => {
    const { access } = await signIn(app);
    const answer = await request(app).get("/bff/session").set("Cookie", access).expect(200);
    expect(answer.body).toEqual({ user: expect.objectContaining({ role: "admin" }) });
  });

  it("clears cookies that the backend refuses", async () => {
    const cookie = "triptych_access=stale; triptych_refresh=stale";
    const answer = await request(app).get("/bff/session").set("Cookie", cookie).expect(401);
    expect(setCookies(answer)).toEqual([
      expect.stringMatching(/^triptych_access=; Max-Age=0/),
      expect.stringMatching(/^triptych_refresh=; Max-Age=0/),
    ]);
  });

  it("keeps the cookies while the backend is away", async () => {
    const { access, refresh } = await signIn(app);
    await backend.stop();
    const answer = await request(app).get("/bff/session").set("Cookie", `${access}; ${refresh}`).expect(503);
    expect(setCookies(answer)).toEqual([]);
    await backend.start();
  });
});

describe("logout", () => {
  it("ends the session at the backend and in the browser", async () => {
    const { access, refresh } = await signIn(app);
    const cookie = `${access}; ${refresh}`;
    const answer = await request(app).post("/bff/logout").set(CSRF).set("Cookie", cookie).expect(204);
    expect(setCookies(answer).filter((value) => value.includes("Max-Age=0"))).toHaveLength(2);
    const sent = backend.seen.at(-1);
    expect(sent?.path).toBe("/api/v1/auth/logout");
    expect(sent?.headers.authorization).toBe(`Bearer ${access.split("=")[1] ?? ""}`);
    expect(sent?.body).toBe(JSON.stringify({ refresh_token: refresh.split("=")[1] }));
  });

  it("clears the browser even when the backend is away", async () => {
    const { access } = await signIn(app);
    await backend.stop();
    const answer = await request(app).post("/bff/logout").set(CSRF).set("Cookie", access).expect(204);
    expect(setCookies(answer)).toHaveLength(2);
    await backend.start();
  });
});

describe("refresh", () => {
  it("happens once for ten concurrent requests, and all ten succeed", async () => {
    const { refresh } = await signIn(app);
    const requests = Array.from({ length: 10 }, () => request(app).get("/api/v1/status").set("Cookie", refresh));
    const answers = await Promise.all(requests);
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(backend.count("/api/v1/auth/refresh")).toBe(1);
    const sent = new Set(answers.map(({ body }) => (body as { headers: { authorization: string } }).headers.authorization));
    expect(sent.size).toBe(1);
    for (const answer of answers) expect(setCookies(answer)).toHaveLength(2);
  });

  it("also serves a request that brings the spent token a moment later", async () => {
    const { refresh } = await signIn(app);
    await request(app).get("/api/v1/status").set("Cookie", refresh).expect(200);
    await request(app).get("/bff/session").set("Cookie", refresh).expect(200);
    expect(backend.count("/api/v1/auth/refresh")).toBe(1);
  });

  it("forgets what a logged-out token was renewed to", async () => {
    const { refresh } = await signIn(app);
    await request(app).get("/api/v1/status").set("Cookie", refresh).expect(200);
    await request(app).post("/bff/logout").set(CSRF).set("Cookie", refresh).expect(204);
    await request(app).get("/bff/session").set("Cookie", refresh).expect(401);
  });

  it("clears the cookies when the backend refuses the token", async () => {
    const answer = await request(app).get("/api/v1/auth/me").set("Cookie", "triptych_refresh=spent").expect(401);
    expect(setCookies(answer)).toHaveLength(2);
  });

  it("keeps the session when the backend fails", async () => {
    const { refresh } = await signIn(app);
    backend.routes.set("POST /api/v1/auth/refresh", (_req, res) => reply(res, 503, {}));
    const answer = await request(app).get("/api/v1/status").set("Cookie", refresh).expect(503);
    expect(setCookies(answer)).toEqual([]);
    backend.routes.clear();
    await request(app).get("/api/v1/status").set("Cookie", refresh).expect(200);
  });
});
