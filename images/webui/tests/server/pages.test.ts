import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import request from "supertest";
import { describe, expect, it } from "vitest";
import { staticFiles } from "../../server/static.js";
import { appFor } from "./harness.js";

const directory = mkdtempSync(join(tmpdir(), "webui-"));
mkdirSync(join(directory, "assets"));
writeFileSync(
  join(directory, "index.html"),
  '<meta name="base-path" content="__BASE_PATH__"><meta name="csp-nonce" content="__CSP_NONCE__"><script src="./assets/app-1a2b.js"></script>',
);
writeFileSync(join(directory, "assets/app-1a2b.js"), "plain");
writeFileSync(join(directory, "assets/app-1a2b.js.br"), "brotli");

describe.each(["", "/console/ui"])("pages below %j", (basePath) => {
  const app = express().use(basePath || "/", staticFiles(directory, basePath));

  it("serves hashed assets for ever, and precompressed", async () => {
    const path = `${basePath}/assets/app-1a2b.js`;
    const answer = await request(app).get(path).set("Accept-Encoding", "identity").expect(200, "plain");
    expect(answer.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
    const compressed = await request(app).head(path).set("Accept-Encoding", "gzip, br").expect(200);
    expect(compressed.headers).toMatchObject({
      "content-encoding": "br",
      "content-length": "6",
      "cache-control": "public, max-age=31536000, immutable",
      vary: "Accept-Encoding",
    });
  });

  it("serves the page for every route, revalidated, with a nonce of its own each time", async () => {
    const paths = ["/", "/users", "/no/such"].map((path) => basePath + path);
    const answers = await Promise.all(paths.map((path) => request(app).get(path).expect(200)));
    for (const { headers } of answers) expect(headers["cache-control"]).toBe("no-cache");
    expect(new Set(answers.map(({ text }) => text)).size).toBe(3);
  });

  it("tells the page where it is, whatever its depth", async () => {
    const { text } = await request(app).get(`${basePath}/users/3`).expect(200);
    expect(text).toContain(`name="base-path" content="${basePath}"`);
    expect(text).toContain(`src="${basePath}/assets/app-1a2b.js"`);
    expect(text).not.toMatch(/__[A-Z_]+__/);
  });

  it("answers 404 for a missing asset and 405 for a write", async () => {
    await request(app).get(`${basePath}/assets/gone.js`).expect(404);
    await request(app).post(`${basePath}/users`).expect(405);
  });

  it.each(["/assets", "//evil.example/%2e%2e", "/%2fevil.example/..", "/\\evil.example", "/assets/..%2f..%2f..%2fetc/passwd"])(
    "never leads elsewhere: %s",
    async (path) => {
      const answer = await request(app).get(basePath + path);
      expect(answer.headers.location).toBeUndefined();
      expect(answer.text).not.toContain("root:");
    },
  );
});

describe("security headers", () => {
  it("forbid inline scripts, frames and other origins", async () => {
    const { headers } = await request(appFor("http://127.0.0.1:9")).get("/login");
    const policy = headers["content-security-policy"] ?? "";
    expect(policy).toMatch(/default-src 'none';script-src 'self';style-src 'self' 'nonce-[\w+/=]+'/);
    expect(policy).toMatch(/frame-ancestors 'none'/);
    expect(policy).not.toMatch(/unsafe/);
    expect(headers["x-powered-by"]).toBeUndefined();
  });
});
