import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import request from "supertest";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MAX_BODY_BYTES } from "../../server/body.js";
import type { FakeBackend } from "../fake-backend.js";
import { appFor, listen, startHarness } from "./harness.js";

let backend: FakeBackend;
let app: ReturnType<typeof appFor>;
let server: Awaited<ReturnType<typeof listen>>;

beforeEach(async () => {
  ({ backend, app } = await startHarness());
  server = await listen(app);
});
afterEach(async () => {
  server.stop();
  await backend.stop();
});

/** Send bytes as they are and read all that comes back. */
async function raw(bytes: string): Promise<string> {
  const socket = connect(server.port, "127.0.0.1");
  socket.write(bytes);
  return text(socket);
}

describe("headers on the way to the backend", () => {
  it("are the request's own but for those of the connection", async () => {
    await raw(
      [
        "GET /api/v1/x HTTP/1.1",
        "Host: ui.example",
        "Connection: close, X-Secret",
        "X-Secret: for this hop",
        "X-Kept: yes",
        "Keep-Alive: timeout=5",
        "TE: trailers",
        "Proxy-Authorization: Basic eA==",
        "Upgrade: websocket",
        "\r\n",
      ].join("\r\n"),
    );
    const sent = backend.seen.at(-1)?.headers ?? {};
    expect(sent["x-kept"]).toBe("yes");
    for (const name of ["x-secret", "te", "proxy-authorization", "upgrade"]) expect(sent).not.toHaveProperty(name);
    expect(sent["keep-alive"]).not.toBe("timeout=5");
  });

  it("say where the request came from, whatever the browser says", async () => {
    const claims = { X_Forwarded_For: "6.6.6.6", Forwarded: "for=6.6.6.6", "X-Real-IP": "6.6.6.6", "X-Forwarded-Prefix": "/evil" };
    await request(app).get("/api/v1/x").set({ ...claims, Host: "ui.example", "X-Forwarded-Proto": "https" });
    const sent = backend.seen.at(-1)?.headers;
    expect(sent).toMatchObject({ "x-forwarded-host": "ui.example", "x-forwarded-proto": "https" });
    expect(JSON.stringify(sent)).not.toMatch(/6\.6\.6\.6|evil/);
  });

  it("hold no cookie of any name", async () => {
    await request(app).get("/api/v1/x").set("Cookie", "other=1; triptych_access=t").set("Authorization", "Bearer own");
    expect(backend.seen.at(-1)?.headers).not.toHaveProperty("cookie");
  });
});

describe("headers on the way back", () => {
  it("keep every cookie-less value and lose those of the connection", async () => {
    backend.routes.set("GET /api/v1/x", (_req, res) =>
      res.writeHead(200, [["Vary", "a"], ["Vary", "b"], ["ETag", '"1"'], ["Connection", "X-Hop"], ["X-Hop", "1"], ["Link", "</a>"], ["Link", "</b>"]].flat()).end("{}"),
    );
    const { headers } = await request(app).get("/api/v1/x").expect(200);
    expect(headers).toMatchObject({ vary: "a, b", etag: '"1"', link: "</a>, </b>" });
    expect(headers).not.toHaveProperty("x-hop");
  });

  it.each([204, 304])("pass a bodyless %i on", async (status) => {
    backend.routes.set("GET /api/v1/x", (_req, res) => res.writeHead(status, { etag: '"1"' }).end());
    const { headers, text: body } = await request(app).get("/api/v1/x").expect(status);
    expect(headers.etag).toBe('"1"');
    expect(body).toBe("");
  });

  it("answer HEAD with the length of what GET would bring", async () => {
    backend.routes.set("HEAD /api/v1/x", (_req, res) => res.writeHead(200, { "content-length": "42" }).end());
    expect((await request(app).head("/api/v1/x").expect(200)).headers["content-length"]).toBe("42");
  });
});

describe("requests that two servers could read differently", () => {
  it.each([
    ["both lengths", "Content-Length: 4\r\nTransfer-Encoding: chunked"],
    ["two lengths", "Content-Length: 4\r\nContent-Length: 5"],
    ["a length that is none", "Content-Length: 4, 4"],
    ["an unknown coding", "Transfer-Encoding: chunked, identity"],
    ["a folded header", "X-A: 1\r\n Transfer-Encoding: chunked"],
    ["a space before the colon", "Transfer-Encoding : chunked"],
  ])("are refused: %s", async (_name, headers) => {
    const answer = await raw(`POST /api/v1/x HTTP/1.1\r\nHost: ui.example\r\n${headers}\r\n\r\n0\r\n\r\nGET /api/v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(backend.count("/api/v1/smuggled")).toBe(0);
  });

  it("cannot add a header through the address", async () => {
    const answer = await raw("GET /api/v1/x\u0001y HTTP/1.1\r\nHost: ui.example\r\nConnection: close\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(backend.seen).toEqual([]);
  });
});

describe("bodies", () => {
  it("go through below the limit without saying their length", async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("x".repeat(100_000)));
        controller.close();
      },
    });
    const options = { method: "POST", headers: { authorization: "Bearer own" }, body, duplex: "half" } as RequestInit;
    expect((await fetch(`${server.url}/api/v1/x`, options)).status).toBe(200);
    expect(backend.seen.at(-1)?.body).toHaveLength(100_000);
  });

  it("are cut off at the limit when they do not say their length", async () => {
    const socket = connect(server.port, "127.0.0.1");
    const answer = text(socket);
    socket.on("error", () => undefined);
    socket.write("POST /api/v1/x HTTP/1.1\r\nHost: ui.example\r\nTransfer-Encoding: chunked\r\n\r\n");
    const piece = Buffer.alloc(1024 * 1024, "x");
    for (let sent = 0; sent <= MAX_BODY_BYTES && !socket.destroyed; sent += piece.length) {
      socket.write("100000\r\n");
      if (!socket.write(piece)) await Promise.race([once(socket, "drain"), once(socket, "close")]);
      socket.write("\r\n");
    }
    expect(await answer).toMatch(/^HTTP\/1\.1 413 [\s\S]*application\/problem\+json/);
    expect(backend.seen).toEqual([]);
  });
});

describe("a backend that hangs", () => {
  it("gets the browser a 504 problem after the limit", async () => {
    backend.routes.set("GET /api/v1/x", () => undefined);
    const { url } = backend;
    const impatient = appFor(url, "", { headersTimeout: 300 });
    const answer = await request(impatient).get("/api/v1/x").expect(504);
    expect(answer.type).toBe("application/problem+json");
    expect(answer.body).toMatchObject({ status: 504, title: "Gateway Timeout", request_id: answer.headers["x-request-id"] });
    expect(answer.text).not.toMatch(/UND_ERR|127\.0\.0\.1/);
  });

  it("in the middle of an answer breaks it off, so that nobody takes half for the whole", async () => {
    backend.routes.set("GET /api/v1/x", (_req, res) => void res.writeHead(200, { "content-type": "application/x-ndjson" }).write("{}\n"));
    const impatient = await listen(appFor(backend.url, "", { bodyTimeout: 300 }));
    const answer = await fetch(`${impatient.url}/api/v1/x`);
    await expect(answer.text()).rejects.toThrow();
    impatient.stop();
  });
});
