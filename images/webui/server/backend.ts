import { request as httpRequest, type Agent } from "node:http";
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

const TIMEOUT_MS = 15_000;

/** The few calls the server itself makes; everything else goes through the proxy. */
export class Backend {
  constructor(
    private readonly baseUrl: string,
    private readonly agent: Agent,
  ) {}

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
  private send(
    method: string,
    path: string,
    caller: Caller,
    { body, access, timeoutMs = TIMEOUT_MS }: { body?: unknown; access?: string; timeoutMs?: number },
  ): Promise<BackendReply> {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers: Record<string, string | number> = { accept: "application/json", "x-request-id": caller.requestId };
    if (caller.ip) headers["x-forwarded-for"] = caller.ip;
    if (caller.userAgent) headers["user-agent"] = caller.userAgent;
    if (access) headers.authorization = `Bearer ${access}`;
    if (payload) Object.assign(headers, { "content-type": "application/json", "content-length": payload.length });

    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException) => reject(new BackendAway(error.code ?? error.name));
      const signal = AbortSignal.timeout(timeoutMs);
      const options = { method, headers, agent: this.agent, signal };
      const request = httpRequest(`${this.baseUrl}${path}`, options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", fail);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 502,
            contentType: response.headers["content-type"] ?? "application/json",
            retryAfter: response.headers["retry-after"],
            body: Buffer.concat(chunks).toString(),
          }),
        );
      });
      request.on("error", fail);
      request.end(payload);
    });
  }
}
