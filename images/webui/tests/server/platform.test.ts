import { spawn } from "node:child_process";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { createServer } from "node:net";
import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import { ConfigError, readConfig } from "../../server/config.js";
import { appFor, listen, startHarness } from "./harness.js";

describe("configuration", () => {
  it("has the defaults of the contract", () => {
    expect(readConfig({})).toMatchObject({ port: 3000, backendUrl: "http://flask-backend:5000", environment: "production" });
  });

  it.each([
    [{ PORT: "http" }, /PORT/],
    [{ BACKEND_URL: "flask-backend:5000" }, /BACKEND_URL: takes a URL such as/],
    [{ ENVIRONMENT: "prod" }, /ENVIRONMENT.*alpha/],
  ])("refuses %o in one line", (env, message) => {
    expect(() => readConfig(env)).toThrow(ConfigError);
    expect(() => readConfig(env)).toThrow(message);
  });
});

describe("a base path", () => {
  it.each([["/", ""], ["", ""], ["/console", "/console"], ["/team.a/~ui_2", "/team.a/~ui_2"]])("may be %j", (given, basePath) => {
    expect(readConfig({ BASE_PATH: given })).toMatchObject({ basePath });
  });

  it.each(["console", "/console/", "//console", "/a/../b", "/.", "/a b", '/a"b', "/a;b", "https://example.com/a"])("may not be %j", (given) => {
    expect(() => readConfig({ BASE_PATH: given })).toThrow(/^set the environment right: BASE_PATH: takes a path such as \/console/);
  });
});

describe("health and metrics", () => {
  it("stays ready with the backend away, and says so", async () => {
    const app = appFor("http://127.0.0.1:9");
    await request(app).get("/healthz").expect(200, { status: "ok" });
    const ready = await request(app).get("/readyz").expect(200);
    expect(ready.body).toMatchObject({ status: "ok", checks: { "flask-backend": { status: "unavailable" } } });
  });

  it("counts requests with their status and time", async () => {
    const { app, backend } = await startHarness();
    await request(app).get("/api/v1/anything/1");
    await request(app).get("/api/v1/anything/2");
    const { text } = await request(app).get("/metrics").expect(200);
    expect(text).toMatch(/http_requests_total\{method="GET",route="\/api",status="200"\} 2/);
    expect(text).toMatch(/http_request_duration_seconds_count\{method="GET",route="\/api"\} 2/);
    await backend.stop();
  });
});

describe("SIGTERM", () => {
  const stops: (() => unknown)[] = [];
  afterEach(() => stops.splice(0).forEach((stop) => stop()));

  /** The server as a process of its own, before a backend that answers so. */
  async function start(backend: RequestListener) {
    const upstream = await listen(backend);
    const port = await freePort();
    const env = { ...process.env, PORT: String(port), BACKEND_URL: upstream.url };
    const child = spawn(process.execPath, ["--import", "tsx", "tests/server/drain-entry.ts"], { env });
    stops.push(upstream.stop, () => child.kill("SIGKILL"));
    await once(child.stdout, "data");
    return { child, exited: once(child, "exit"), url: `http://127.0.0.1:${port}` };
  }

  it("lets an open request end, then exits 0 at once", async () => {
    let arrive = (): void => undefined;
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    const { child, exited, url } = await start((_req, res) => {
      arrive();
      setTimeout(() => res.end("late"), 1_500);
    });
    const answer = fetch(`${url}/api/v1/slow`).then((res) => res.text());
    await arrived;
    const signalled = performance.now();
    child.kill("SIGTERM");
    expect(await answer).toBe("late");
    expect((await exited)[0]).toBe(0);
    // The browser keeps its connection, which must not count as an open request.
    expect(performance.now() - signalled).toBeLessThan(10_000);
  });

  it("ends event streams, which would never end by themselves, and exits 0", async () => {
    const { child, exited, url } = await start((_req, res) => res.writeHead(200, { "content-type": "text/event-stream" }).write(": open\n\n"));
    const clients: [string, string][] = [["cookie", "triptych_access=t"], ["authorization", "Bearer own"]];
    const streams = await Promise.all(clients.map((client) => fetch(`${url}/api/v1/events`, { headers: [client] })));
    const signalled = performance.now();
    child.kill("SIGTERM");
    expect(await Promise.all(streams.map((stream) => stream.text()))).toEqual([": open\n\n", ": open\n\n"]);
    expect((await exited)[0]).toBe(0);
    // Far below the time that requests get to end.
    expect(performance.now() - signalled).toBeLessThan(10_000);
  });
});

/** Below the ports that the kernel takes for connections: in the moment until the server listens nobody else gets it. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer();
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
