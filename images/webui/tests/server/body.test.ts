import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MAX_BODY_BYTES, receiveBody } from "../../server/body.js";
import { startHarness } from "./harness.js";

const HEAD = "POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nX-Request-ID: of-the-test\r\nAuthorization: Bearer own\r\nContent-Type: application/json\r\n";

describe("bodies", () => {
  let harness: Awaited<ReturnType<typeof startHarness>>;
  let server: Server;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    harness = await startHarness();
    server = createServer(harness.app).listen(0, "127.0.0.1");
    await once(server, "listening");
  });

  afterEach(async () => {
    sockets.splice(0).forEach((socket) => socket.destroy());
    server.closeAllConnections();
    server.close();
    await harness.backend.stop();
  });

  /** A connection that has sent this much of a request. */
  async function sending(text: string, to = server): Promise<Socket> {
    const socket = connect((to.address() as AddressInfo).port, "127.0.0.1");
    sockets.push(socket);
    await once(socket, "connect");
    socket.write(text);
    return socket;
  }

  async function answer(socket: Socket): Promise<string> {
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    return text;
  }

  it("reach the backend whole or not at all", async () => {
    const socket = await sending(`${HEAD}Content-Length: 11\r\nConnection: close\r\n\r\n{"a":`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(harness.backend.seen).toEqual([]);
    socket.write('"b-c"}');
    expect(await answer(socket)).toMatch(/^HTTP\/1\.1 200 /);
    expect(harness.backend.seen.map(({ body }) => body)).toEqual(['{"a":"b-c"}']);
  });

  it("in chunks are passed on with their length", async () => {
    const socket = await sending(`${HEAD}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n`);
    expect(await answer(socket)).toMatch(/^HTTP\/1\.1 200 /);
    expect(harness.backend.seen[0]?.headers).toMatchObject({ "content-length": "2" });
  });

  it("in chunks have the same limit", async () => {
    const chunk = "x".repeat(64 * 1024);
    const chunks = `10000\r\n${chunk}\r\n`.repeat(MAX_BODY_BYTES / chunk.length + 1);
    const socket = await sending(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunks}`);
    expect(await answer(socket)).toMatch(/^HTTP\/1\.1 413 /);
    expect(harness.backend.seen).toEqual([]);
  });

  it("that break off never reach the backend", async () => {
    const socket = await sending(`${HEAD}Content-Length: 11\r\n\r\n{"a":`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(harness.backend.seen).toEqual([]);
  });

  it("that do not arrive are given up", async () => {
    const impatient = createServer((req, res) => void receiveBody(req, res, 150)).listen(0, "127.0.0.1");
    await once(impatient, "listening");
    try {
      const text = await answer(await sending(`${HEAD}Content-Length: 11\r\n\r\n{"a":`, impatient));
      expect(text).toMatch(/^HTTP\/1\.1 408 /);
      expect(text).toContain("application/problem+json");
    } finally {
      impatient.close();
    }
  });
});
