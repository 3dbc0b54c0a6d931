import type { Agent } from "node:http";
import type { Request, RequestHandler, Response } from "express";
import { createProxyServer } from "httpxy";
import type { Logger } from "pino";
import { callerOf, clientOf } from "./caller.js";
import type { Metrics } from "./metrics.js";
import { sendBackendAway, sendProblem } from "./problem.js";
import type { Refresher } from "./refresh.js";
import type { SessionCookies } from "./session.js";

export const MAX_BODY_BYTES = 10 * 1024 * 1024;
/** Longest silence of the backend; a stream (server-sent events) must send a heartbeat within it. */
const IDLE_TIMEOUT_MS = 60_000;

export interface ProxyDependencies {
  backendUrl: string;
  basePath: string;
  agent: Agent;
  logger: Logger;
  metrics: Metrics;
}

/**
 * Give a browser's request the access token of its cookies, renewing the session first if need be.
 * A request with its own `Authorization` passes untouched. Cookies never reach the backend.
 */
export function authorizeFromCookies(sessions: SessionCookies, refresher: Refresher): RequestHandler {
  return async (req, res, next) => {
    const session = sessions.read(req);
    delete req.headers.cookie;
    if (req.headers.authorization) return next();
    const access = session.access ?? (session.refresh && (await renew(session.refresh)));
    if (access) req.headers.authorization = `Bearer ${access}`;
    next();

    async function renew(refreshToken: string): Promise<string | undefined> {
      const result = await refresher.refresh(refreshToken, callerOf(req));
      if (result.kind === "renewed") {
        sessions.write(req, res, result.tokens);
        return result.tokens.access_token;
      }
      sessions.clear(req, res);
      return undefined;
    }
  };
}

/** Refuse a body that says it is too long; the backend bounds those that do not say. */
export function limitBody(): RequestHandler {
  return (req, res, next) => {
    if (Number(req.headers["content-length"] ?? 0) <= MAX_BODY_BYTES) return next();
    sendProblem(res, 413, "Content Too Large", `The limit is ${MAX_BODY_BYTES} bytes.`);
  };
}

/** Stream requests to the backend over kept connections; nothing is parsed or buffered here. */
export function backendProxy({ backendUrl, basePath, agent, logger, metrics }: ProxyDependencies): RequestHandler {
  const proxy = createProxyServer({ target: backendUrl, agent, xfwd: false, proxyTimeout: IDLE_TIMEOUT_MS });

  return async (req, res) => {
    // Express strips the mount path from req.url; the backend needs the whole, but for this installation's own.
    req.url = req.originalUrl.slice(basePath.length);
    forwardClient(req);
    try {
      await proxy.web(req, res).catch((error: unknown) => retryOnce(req, res, error));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "unknown";
      if (req.destroyed && res.destroyed) return;
      metrics.upstreamErrors.inc({ code });
      logger.warn({ code, request_id: req.id }, "the backend does not answer");
      sendBackendAway(res);
    }
  };

  /** A kept connection that the backend has just closed fails before anything was answered. */
  async function retryOnce(req: Request, res: Response, error: unknown): Promise<void> {
    const stale = ["ECONNRESET", "EPIPE"].includes((error as NodeJS.ErrnoException).code ?? "");
    const repeatable = (req.method === "GET" || req.method === "HEAD") && !res.headersSent && !res.destroyed;
    if (!stale || !repeatable) throw error;
    await proxy.web(req, res);
  }
}

/** Tell the backend the browser's address, scheme and host, as the proxies in front told this server. */
function forwardClient(req: Request): void {
  const { ip, host, secure } = clientOf(req);
  req.headers["x-forwarded-for"] = ip;
  req.headers["x-forwarded-proto"] = secure ? "https" : "http";
  req.headers["x-forwarded-host"] = host;
}
