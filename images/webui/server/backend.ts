import { Pool } from "undici";
import type { components } from "../src/api/schema.js";

/** Answer of a login or a refresh. */
export type TokenSet = components["schemas"]["Tokens"];

export interface BackendReply {
  status: number;
  contentType: string;
  retryAfter: string | undefined;
  body: string;
}

/** Who asks: passed on, so that the backend's throttles, audit log and request ids see the browser. */
export interface Caller {
  requestId: string;
  ip: string;
  userAgent?: string;
}

export class BackendAway extends Error {
  constructor(readonly code: string) {
    super(`the backend does not answer (${code})`);
  }
}

export interface PoolLimits {
  /** Longest wait for the head of an answer, in milliseconds. */
  headersTimeout?: number;
  /** Longest silence within an answer; a stream (server-sent events) must send a heartbeat within it. */
  bodyTimeout?: number;
}

/** Kept connections to the backend, for the proxy and the server's own calls. */
export function backendPool(url: string, { headersTimeout = 30_000, bodyTimeout = 60_000 }: PoolLimits = {}): Pool {
  return new Pool(url, { connections: 256, connect: { timeout: 3_000 }, headersTimeout, bodyTimeout });
}

const TIMEOUT_MS = 15_000;

/** The few calls the server itself makes; everything else goes through the proxy. */
export class Backend {
  constructor(private readonly pool: Pool) {}

  login(body: unknown, caller: Caller): Promise<BackendReply> {
    return this.send("POST", "/api/v1/auth/login", caller, { body });
  }

  secondFactor(body: unknown, caller: Caller): Promise<BackendReply> {
    return this.send("POST", "/api/v1/auth/login/second-factor", caller, { body });
  }

  refresh(refreshToken: string, caller: Caller): Promise<BackendReply> {
    return this.send("POST", "/api/v1/auth/refresh", caller, { body: { refresh_token: refreshToken } });
  }

  logout(access: string, refreshToken: string | undefined, caller: Caller): Promise<BackendReply> {
    const body = refreshToken ? { refresh_token: refreshToken } : {};
    return this.send("POST", "/api/v1/auth/logout", caller, { body, access });
  }

  me(access: string, caller: Caller): Promise<BackendReply> {
    return this.send("GET", "/api/v1/auth/me", caller, { access });
  }

  ready(): Promise<BackendReply> {
    return this.send("GET", "/readyz", { requestId: "readyz", ip: "" }, { timeoutMs: 2_000 });
  }

  /**
   * Send one request and read the whole answer (a small JSON document).
   * @throws BackendAway when no answer comes at all.
   */
  private async send(
    method: "GET" | "POST",
    path: string,
    caller: Caller,
    { body, access, timeoutMs = TIMEOUT_MS }: { body?: unknown; access?: string; timeoutMs?: number },
  ): Promise<BackendReply> {
    const headers: Record<string, string> = { accept: "application/json", "x-request-id": caller.requestId };
    if (caller.ip) headers["x-forwarded-for"] = caller.ip;
    if (caller.userAgent) headers["user-agent"] = caller.userAgent;
    if (access) headers.authorization = `Bearer ${access}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    const payload = body === undefined ? undefined : JSON.stringify(body);
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const answer = await this.pool.request({ method, path, headers, body: payload, signal });
      return {
        status: answer.statusCode,
        contentType: textOf(answer.headers["content-type"]) ?? "application/json",
        retryAfter: textOf(answer.headers["retry-after"]),
        body: await answer.body.text(),
      };
    } catch (error) {
      const { code, name } = error as NodeJS.ErrnoException;
      throw new BackendAway(typeof code === "string" ? code : name);
    }
  }
}

const textOf = (value: string | string[] | undefined) => (Array.isArray(value) ? value[0] : value);
