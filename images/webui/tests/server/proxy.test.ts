import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MAX_BODY_BYTES } from "../../server/body.js";
import { reply, type FakeBackend } from "../fake-backend.js";
import { appFor, CSRF, signIn, startHarness } from "./harness.js";

let backend: FakeBackend;
let app: ReturnType<typeof appFor>;

beforeEach(async () => {
  ({ backend, app } = await startHarness());
});
afterEach(() => backend.stop());

describe("proxy", () => {
  it("adds the token of the cookie and keeps cookies to itself", async () => {
    const { access, refresh } = await signIn(app);
    await request(app).get("/api/v1/users?page=2&sort=-email").set("Cookie", `${access}; ${refresh}`).expect(200);
    const sent = backend.seen.at(-1);
    expect(sent?.headers.authorization).toMatch(/^Bearer access-/);
    expect(sent?.headers.cookie).toBeUndefined();
    expect(sent?.path).toBe("/api/v1/users");
  });

  it("passes a Bearer client through untouched, whatever cookies come along", async () => {
    const { access } = await signIn(app);
    const answer = await request(app)
      .post("/api/v1/users")
      .set("Authorization", "Bearer own")
      .set("Cookie", access)
      .send({ email: "x@example.com" })
      .expect(200);
    const sent = backend.seen.at(-1);
    expect(sent?.headers.authorization).toBe("Bearer own");
    expect(sent?.headers.cookie).toBeUndefined();
    expect(sent?.body).toBe('{"email":"x@example.com"}');
    expect(answer.headers["set-cookie"]).toBeUndefined();
  });

  it("lets a client without any session reach public routes", async () => {
    await request(app).post("/api/v1/auth/login").send({ password: "admin" }).expect(200);
    await request(app).get("/.well-known/jwks.json").set("Cookie", "triptych_access=x").expect(200);
    expect(backend.seen.at(-1)?.path).toBe("/.well-known/jwks.json");
    expect(backend.seen.at(-1)?.headers.cookie).toBeUndefined();
  });

  it("passes a large body both ways", async () => {
    const text = "x".repeat(1_000_000);
    const answer = await request(app).post("/api/v1/echo").set("Authorization", "Bearer own").send({ text }).expect(200);
    expect((answer.body as { body: string }).body).toHaveLength(text.length + '{"text":""}'.length);
  });

  it("refuses a body that says it is beyond the limit", async () => {
    const answer = await request(app)
      .post("/api/v1/echo")
      .set("Authorization", "Bearer own")
      .set("Content-Length", String(MAX_BODY_BYTES + 1))
      .expect(413);
    expect(answer.type).toBe("application/problem+json");
    expect(backend.seen).toEqual([]);
  });

  it("relays problem details and status of the backend unchanged", async () => {
    const problem = { type: "about:blank", title: "Unprocessable", status: 422, errors: { json: { email: ["bad"] } } };
    backend.routes.set("GET /api/v1/x", (_req, res) => reply(res, 422, problem));
    const answer = await request(app).get("/api/v1/x").expect(422);
    expect(answer.body).toEqual(problem);
  });

  it("answers 503 with problem details when the backend is away, and recovers by itself", async () => {
    const away = appFor("http://127.0.0.1:9");
    const answer = await request(away).get("/api/v1/status").set("X-Request-ID", "abc-1234").expect(503);
    expect(answer.type).toBe("application/problem+json");
    expect(answer.body).toMatchObject({ status: 503, title: "Service Unavailable", request_id: "abc-1234" });
    expect(answer.headers["retry-after"]).toBe("5");
    expect(answer.text).not.toMatch(/ECONN|127\.0\.0\.1|at /);
  });

  it("repeats a read whose kept connection the backend had closed", async () => {
    let calls = 0;
    backend.routes.set("GET /api/v1/flaky", (_req, res) => {
      calls += 1;
      if (calls === 1) res.socket?.resetAndDestroy();
      else reply(res, 200, { ok: true });
    });
    await request(app).get("/api/v1/flaky").expect(200, { ok: true });
    expect(calls).toBe(2);
  });

  it("never repeats a write", async () => {
    backend.routes.set("POST /api/v1/flaky", (_req, res) => res.socket?.resetAndDestroy());
    await request(app).post("/api/v1/flaky").send({ a: 1 }).expect(503);
    expect(backend.count("/api/v1/flaky")).toBe(1);
  });

  it("passes the request id and the client's address on", async () => {
    const answer = await request(app).get("/api/v1/x").set({ "X-Request-ID": "request-1", "X-Forwarded-For": "203.0.113.7" });
    expect(backend.seen.at(-1)?.headers).toMatchObject({ "x-request-id": "request-1", "x-forwarded-for": "203.0.113.7" });
    expect(answer.headers["x-request-id"]).toBe("request-1");
    await request(app).get("/api/v1/x").set("X-Forwarded-For", "::ffff:203.0.113.7");
    expect(backend.seen.at(-1)?.headers).toMatchObject({ "x-forwarded-for": "203.0.113.7" });
    const replaced = await request(app).get("/api/v1/x").set("X-Request-ID", "bad id\t<script>");
    expect(replaced.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("cross-site request forgery", () => {
  const FORGERIES: [string, Record<string, string>][] = [
    ["no custom header", {}],
    ["another Origin", { ...CSRF, Origin: "https://evil.example" }],
    ["an opaque Origin", { ...CSRF, Origin: "null" }],
    ["another site", { ...CSRF, "Sec-Fetch-Site": "cross-site" }],
    ["another host of the site", { ...CSRF, "Sec-Fetch-Site": "same-site" }],
  ];

  it.each(FORGERIES)("refuses a write with cookies and %s", async (_name, headers) => {
    const { access } = await signIn(app);
    const before = backend.seen.length;
    for (const path of ["/api/v1/users", "/bff/login", "/bff/logout"]) {
      const answer = await request(app).post(path).set("Cookie", access).set(headers).send({});
      expect(answer.status).toBe(403);
      expect(answer.type).toBe("application/problem+json");
    }
    expect(backend.seen).toHaveLength(before);
  });

  it("refuses another site's read of the session", async () => {
    const { access } = await signIn(app);
    await request(app).get("/bff/session").set("Cookie", access).set("Sec-Fetch-Site", "cross-site").expect(403);
  });

  it("lets the page's own write through", async () => {
    const { access } = await signIn(app);
    const own = { ...CSRF, Host: "ui.example", Origin: "http://ui.example", "Sec-Fetch-Site": "same-origin" };
    await request(app).post("/api/v1/users").set("Cookie", access).set(own).send({}).expect(200);
  });
});
