import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import { ConfigError, readConfig } from "../../server/config.js";
import { appFor, startHarness } from "./harness.js";

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
  let upstream: Server | undefined;
  let child: ChildProcess | undefined;
  afterEach(() => {
    child?.kill("SIGKILL");
    upstream?.closeAllConnections();
    upstream?.close();
  });

  it("lets an open request end, then exits 0", async () => {
    upstream = createServer((_req, res) => setTimeout(() => res.end("late"), 1_500));
    await once(upstream.listen(0, "127.0.0.1"), "listening");
    const backend = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    const port = await freePort();
    const env = { ...process.env, PORT: String(port), BACKEND_URL: backend };
    const process_ = spawn(process.execPath, ["--import", "tsx", "tests/server/drain-entry.ts"], { env });
    child = process_;
    await once(process_.stdout, "data");

    const answer = new Promise<string>((resolve, reject) => {
      get(`http://127.0.0.1:${port}/api/v1/slow`, (res) => {
        let text = "";
        res.on("data", (chunk: Buffer) => (text += chunk.toString()));
        res.on("end", () => resolve(text));
      }).on("error", reject);
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const exited = once(process_, "exit");
    process_.kill("SIGTERM");
    expect(await answer).toBe("late");
    expect((await exited)[0]).toBe(0);
  }, 20_000);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
