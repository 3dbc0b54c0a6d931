import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import request from "supertest";
import { afterEach, describe, expect, it } from "vitest";
import { ConfigError, readConfig } from "../../server/config.js";
import { staticFiles } from "../../server/static.js";
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

describe("pages", () => {
  const directory = mkdtempSync(join(tmpdir(), "webui-"));
  mkdirSync(join(directory, "assets"));
  writeFileSync(join(directory, "index.html"), '<meta name="csp-nonce" content="__CSP_NONCE__">');
  writeFileSync(join(directory, "assets/app-1a2b.js"), "plain");
  writeFileSync(join(directory, "assets/app-1a2b.js.br"), "brotli");
  const app = express().use(staticFiles(directory));

  it("serves hashed assets for ever, and precompressed", async () => {
    const answer = await request(app).get("/assets/app-1a2b.js").set("Accept-Encoding", "identity").expect(200, "plain");
    expect(answer.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
    const compressed = await request(app).head("/assets/app-1a2b.js").set("Accept-Encoding", "gzip, br").expect(200);
    expect(compressed.headers).toMatchObject({ "content-encoding": "br", "content-length": "6" });
  });

  it("serves the page for every route, revalidated, with a nonce of its own each time", async () => {
    const answers = await Promise.all(["/", "/users", "/no/such"].map((path) => request(app).get(path).expect(200)));
    for (const { headers } of answers) expect(headers["cache-control"]).toBe("no-cache");
    expect(new Set(answers.map(({ text }) => text)).size).toBe(3);
  });

  it("answers 404 for a missing asset and 405 for a write", async () => {
    await request(app).get("/assets/gone.js").expect(404);
    await request(app).post("/users").expect(405);
  });

  it("forbids inline scripts, frames and other origins", async () => {
    const { headers } = await request(appFor("http://127.0.0.1:9")).get("/login");
    const policy = headers["content-security-policy"] ?? "";
    expect(policy).toMatch(/default-src 'none';script-src 'self';style-src 'self' 'nonce-[\w+/=]+'/);
    expect(policy).toMatch(/frame-ancestors 'none'/);
    expect(policy).not.toMatch(/unsafe/);
    expect(headers["x-powered-by"]).toBeUndefined();
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
