import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import request from "supertest";
import { createApp } from "../../server/app.js";
import type { PoolLimits } from "../../server/backend.js";
import { createLogger } from "../../server/logging.js";
import { FakeBackend } from "../fake-backend.js";

export const CSRF = { "X-Requested-With": "triptych" };
export const CREDENTIALS = { email: "admin@example.com", password: "admin" };

/** The application in front of a fake backend. */
export async function startHarness(basePath = "") {
  const backend = new FakeBackend();
  const backendUrl = await backend.start();
  return { backend, app: appFor(backendUrl, basePath) };
}

export function appFor(backendUrl: string, basePath = "", limits: PoolLimits = {}) {
  const config = { port: 0, backendUrl, basePath, environment: "alpha", logLevel: "silent", version: "1.2.3" } as const;
  const logger = createLogger(config);
  return createApp({ config, logger, limits, pages: (_req, res) => void res.send("page") });
}

/** Sign in and return the cookies as a browser would send them, by name. */
export async function signIn(app: ReturnType<typeof appFor>, basePath = ""): Promise<Record<"access" | "refresh", string>> {
  const answer = await request(app).post(`${basePath}/bff/login`).set(CSRF).send(CREDENTIALS).expect(200);
  const [access = "", refresh = ""] = setCookies(answer).map((cookie) => cookie.split(";", 1)[0] ?? "");
  return { access, refresh };
}

/** Listen with an application on a port of its own; the function ends it. */
export async function listen(app: RequestListener): Promise<{ url: string; port: number; stop: () => void }> {
  const server = createServer(app);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, port, stop };
}

export function setCookies(answer: request.Response): string[] {
  return (answer.headers["set-cookie"] as unknown as string[] | undefined) ?? [];
}
