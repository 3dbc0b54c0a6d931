import request from "supertest";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FakeBackend } from "../fake-backend.js";
import { appFor, CREDENTIALS, CSRF, setCookies, signIn, startHarness } from "./harness.js";

const BASE = "/console/ui";
let backend: FakeBackend;
let app: ReturnType<typeof appFor>;

beforeAll(async () => {
  ({ backend, app } = await startHarness(BASE));
});
afterAll(() => backend.stop());

describe("below a base path", () => {
  it("keeps the cookies to it, by TLS with the prefix that allows a path", async () => {
    const plain = await request(app).post(`${BASE}/bff/login`).set(CSRF).send(CREDENTIALS).expect(200);
    expect(setCookies(plain)).toHaveLength(2);
    for (const cookie of setCookies(plain)) {
      expect(cookie).toMatch(/^triptych_(access|refresh)=/);
      expect(cookie).toMatch(/; Path=\/console\/ui; HttpOnly; SameSite=Strict$/);
    }
    const tls = await request(app).post(`${BASE}/bff/login`).set({ ...CSRF, "X-Forwarded-Proto": "https" }).send(CREDENTIALS);
    expect(setCookies(tls)).toHaveLength(2);
    for (const cookie of setCookies(tls)) {
      expect(cookie).toMatch(/^__Secure-triptych_(access|refresh)=/);
      expect(cookie).toMatch(/; Path=\/console\/ui; HttpOnly; Secure; SameSite=Strict$/);
    }
  });

  it("asks the backend for paths as the backend knows them", async () => {
    const { access } = await signIn(app, BASE);
    const answer = await request(app).get(`${BASE}/api/v1/users?page=2`).set("Cookie", access).expect(200);
    expect(backend.seen.at(-1)).toMatchObject({ path: "/api/v1/users", url: "/api/v1/users?page=2" });
    expect((answer.body as { headers: object }).headers).toMatchObject({ authorization: `Bearer ${access.split("=")[1] ?? ""}` });
    await request(app).get(`${BASE}/.well-known/jwks.json`).expect(200);
    expect(backend.seen.at(-1)?.path).toBe("/.well-known/jwks.json");
  });

  it("prefers its own cookies to those of an installation above it, which browsers send last", async () => {
    const { access } = await signIn(app, BASE);
    await request(app).get(`${BASE}/bff/session`).set("Cookie", `${access}; triptych_access=of-another`).expect(200);
  });

  it("refuses forged writes there as well", async () => {
    await request(app).post(`${BASE}/bff/login`).send(CREDENTIALS).expect(403);
    const { access } = await signIn(app, BASE);
    await request(app).post(`${BASE}/api/v1/users`).set("Cookie", access).send({}).expect(403);
  });

  it("serves probes at the root and nothing else but the way in", async () => {
    await request(app).get("/healthz").expect(200);
    await request(app).get("/readyz").expect(200);
    // The dashboard asks for this one.
    await request(app).get(`${BASE}/healthz`).expect(200, { status: "ok" });
    await request(app).get("/").expect(302).expect("Location", "/console/ui/");
    const before = backend.seen.length;
    for (const path of ["/api/v1/status", "/bff/config", "/console/uix/bff/config", "/CONSOLE/UI/bff/config", "/assets/app.js"]) {
      expect((await request(app).get(path).expect(404)).type).toBe("application/problem+json");
    }
    expect(backend.seen).toHaveLength(before);
  });
});

describe("paths in another case", () => {
  it("reach neither the session routes nor the proxy, so that no check can be passed by", async () => {
    const { backend: other, app: root } = await startHarness();
    for (const path of ["/BFF/login", "/Bff/logout", "/API/v1/users"]) {
      const answer = await request(root).post(path).send(CREDENTIALS);
      expect(answer.text).toBe("page");
      expect(setCookies(answer)).toEqual([]);
    }
    expect(other.seen).toEqual([]);
    await other.stop();
  });
});
