import { once } from "node:events";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApp } from "../../server/app.js";
import type { Lifecycle } from "../../server/health.js";
import { createLogger } from "../../server/logging.js";
import { FakeBackend, reply, USER } from "../fake-backend.js";
import { CSRF, listen } from "./harness.js";

const PATH = "/api/v1/events";
let backend: FakeBackend;
let server: Awaited<ReturnType<typeof listen>>;
let lifecycle: Lifecycle;
/** Ends of the streams at the backend, in the order they were opened. */
let upstream: ServerResponse[];

beforeEach(async () => {
  backend = new FakeBackend();
  upstream = [];
  lifecycle = { draining: false };
  const config = { port: 0, backendUrl: await backend.start(), basePath: "", environment: "alpha", logLevel: "silent", version: "1" } as const;
  const app: RequestListener = createApp({ config, logger: createLogger(config), lifecycle, pages: (_req, res) => void res.end() });
  server = await listen(app);
  backend.routes.set(`GET ${PATH}`, (_request, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" }).write("data: first\n\n");
    upstream.push(res);
  });
});
afterEach(async () => {
  server.stop();
  await backend.stop();
});

/** An access token of a session, as the backend makes them. */
const tokenOf = (session: string, serial = 1) =>
  ["header", Buffer.from(JSON.stringify({ sid: session, jti: serial })).toString("base64url"), "signature"].join(".");

/** Open a stream with a session's cookie and read its first event. */
async function open(access: string) {
  const { body } = await fetch(server.url + PATH, { headers: { cookie: `triptych_access=${access}` } });
  if (!body) throw new Error("a stream has a body");
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader.read()).value).toBe("data: first\n\n");
  return reader;
}

const logout = (cookie: string) => fetch(`${server.url}/bff/logout`, { method: "POST", headers: { ...CSRF, cookie } });

describe("server-sent events", () => {
  it("pass on before the next one exists", async () => {
    const reader = await open(tokenOf("a"));
    upstream[0]?.end("data: second\n\n");
    expect((await reader.read()).value).toBe("data: second\n\n");
    expect((await reader.read()).done).toBe(true);
  });

  it("tell the browser that the stream is open before the first event", async () => {
    backend.routes.set(`GET ${PATH}`, (_request, res) => res.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders());
    const answer = await fetch(server.url + PATH);
    expect(answer.status).toBe(200);
    await answer.body?.cancel();
  });

  it("end when their session logs out, at the backend as well, and no others", async () => {
    // The second was opened before the session's token was renewed.
    const [first, renewed, other] = [await open(tokenOf("a")), await open(tokenOf("a", 2)), await open(tokenOf("b"))];
    const gone = Promise.all(upstream.slice(0, 2).map((res) => once(res, "close")));
    expect((await logout(`triptych_access=${tokenOf("a", 3)}`)).status).toBe(204);
    expect((await first.read()).done).toBe(true);
    expect((await renewed.read()).done).toBe(true);
    await gone;
    upstream[2]?.write("data: more\n\n");
    expect((await other.read()).value).toBe("data: more\n\n");
    await other.cancel();
  });

  it("end at a logout with the refresh token alone", async () => {
    const reader = await open(tokenOf("a"));
    const tokens = { access_token: tokenOf("a", 2), refresh_token: "r2", token_type: "Bearer", expires_in: 600, user: USER };
    backend.routes.set("POST /api/v1/auth/refresh", (_request, res) => reply(res, 200, tokens));
    expect((await logout("triptych_refresh=r1")).status).toBe(204);
    expect((await reader.read()).done).toBe(true);
  });

  it("end when the backend ends them, as it does for sessions that ended elsewhere", async () => {
    const reader = await open(tokenOf("a"));
    upstream[0]?.end('event: end\ndata: {"reason":"the session ended"}\n\n');
    expect((await reader.read()).value).toContain("event: end");
    expect((await reader.read()).done).toBe(true);
  });

  it("end at the backend when the browser goes away", async () => {
    const reader = await open(tokenOf("a"));
    const gone = Promise.all(upstream.map((res) => once(res, "close")));
    await reader.cancel();
    expect(await gone).toHaveLength(1);
  });

  it("break off, and do not end as if complete, when the backend breaks", async () => {
    const reader = await open(tokenOf("a"));
    upstream[0]?.destroy();
    await expect(reader.read()).rejects.toThrow();
  });

  it("end when this server drains", async () => {
    const reader = await open(tokenOf("a"));
    lifecycle.onDrain?.();
    expect((await reader.read()).done).toBe(true);
  });

  it("wait for a browser that reads slowly instead of filling the memory", async () => {
    const chunk = "x".repeat(64 * 1024);
    let taken = 0;
    const source = createServer((_req, res) => {
      res.writeHead(200, { "content-type": "application/x-ndjson" });
      const more = () => {
        do taken += 1;
        while (res.write(chunk) && taken < 1024);
        if (taken < 1024) res.once("drain", more);
      };
      more();
    });
    const { url, stop } = await listen((req, res) => void source.emit("request", req, res));
    const config = { port: 0, backendUrl: url, basePath: "", environment: "alpha", logLevel: "silent", version: "1" } as const;
    const slow = await listen(createApp({ config, logger: createLogger(config), pages: (_req, res) => void res.end() }));
    const answer = await fetch(`${slow.url}/api/v1/audit/export`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(taken).toBeGreaterThan(0);
    // Buffers of the operating system and of both programs, far below the 64 MiB on offer.
    expect(taken).toBeLessThan(400);
    await answer.body?.cancel();
    slow.stop();
    stop();
  });
});
