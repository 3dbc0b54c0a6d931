import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import type { Dispatcher, Pool } from "undici";
import { BackendAway } from "./backend.js";
import { hasBody, receiveBody } from "./body.js";
import { callerOf } from "./caller.js";
import type { Metrics } from "./metrics.js";
import { sendBackendAway, sendProblem } from "./problem.js";
import { requestHeaders, responseHeaders } from "./proxy-headers.js";
import type { Refresher } from "./refresh.js";
import { forgeryIn, isUnsafe } from "./security.js";
import type { SessionCookies } from "./session.js";
import type { Streams } from "./streams.js";

export interface ProxyDependencies {
  pool: Pool;
  basePath: string;
  sessions: SessionCookies;
  refresher: Refresher;
  streams: Streams;
  logger: Logger;
  metrics: Metrics;
}

type Method = Dispatcher.HttpMethod;

/** A request as it goes to the backend; `access` is the token of the browser's session. */
interface Forwarded {
  req: IncomingMessage;
  res: ServerResponse;
  body: Buffer | null;
  authorization?: string;
  access?: string;
}

const GONE = new Error("the browser went away, or its session ended");

/**
 * Sends requests, once they are whole, to the backend over kept connections; answers are streamed. A browser's gets
 * the access token of its cookies, one with its own `Authorization` passes untouched, and cookies go no further.
 * It works on Node's own requests, before Express: that is where most of a proxied request's time would go.
 */
export class BackendProxy {
  constructor(private readonly own: ProxyDependencies) {}

  handle(req: IncomingMessage, res: ServerResponse): void {
    if (!hasBody(req)) return this.authorize(req, res, null);
    void receiveBody(req, res).then((body) => {
      if (body) this.authorize(req, res, body);
    });
  }

  private authorize(req: IncomingMessage, res: ServerResponse, body: Buffer | null): void {
    const { sessions } = this.own;
    const { authorization } = req.headers;
    if (authorization !== undefined) return this.forward({ req, res, body, authorization });
    const { access, refresh } = sessions.read(req);
    if (isUnsafe(req) && (access !== undefined || refresh !== undefined)) {
      const forgery = forgeryIn(req);
      if (forgery) return sendProblem(res, 403, "Forbidden", forgery);
    }
    if (access) return this.forward({ req, res, body, authorization: `Bearer ${access}`, access });
    if (!refresh) return this.forward({ req, res, body });
    this.renew({ req, res, body }, refresh).catch((error: unknown) => {
      if (error instanceof BackendAway) return sendBackendAway(res);
      this.own.logger.error({ err: error, request_id: req.headers["x-request-id"] }, "request failed");
      sendProblem(res, 500, "Internal Server Error");
    });
  }

  private async renew(request: Forwarded, refreshToken: string): Promise<void> {
    const { req, res } = request;
    const { sessions, refresher } = this.own;
    const result = await refresher.refresh(refreshToken, callerOf(req));
    if (result.kind === "refused") {
      sessions.clear(req, res);
      return this.forward(request);
    }
    const access = result.tokens.access_token;
    sessions.write(req, res, result.tokens);
    this.forward({ ...request, authorization: `Bearer ${access}`, access });
  }

  private forward(request: Forwarded, again = false): void {
    const { req, res, body, authorization } = request;
    if (res.destroyed) return;
    const { pool, basePath } = this.own;
    const path = (req.url ?? "/").slice(basePath.length);
    const repeat = again || body || isUnsafe(req) ? undefined : () => this.forward(request, true);
    const handler = new Exchange(request, this.own, repeat);
    pool.dispatch({ path, method: req.method as Method, headers: requestHeaders(req, authorization), body }, handler);
  }
}

/** One exchange with the backend: what its answer brings goes on to the browser as it comes. */
class Exchange implements Dispatcher.DispatchHandler {
  private readonly res: ServerResponse;
  private controller: Dispatcher.DispatchController | undefined;
  private complete = false;

  constructor(
    private readonly request: Forwarded,
    private readonly own: ProxyDependencies,
    /** Sends the request once more, where that is safe. */
    private readonly repeat: (() => void) | undefined,
  ) {
    this.res = request.res;
    this.res.once("close", () => {
      if (!this.complete) this.controller?.abort(GONE);
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.res.destroyed) controller.abort(GONE);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingMessage["headers"]): void {
    if (status < 200) return;
    const { res, request } = this;
    res.writeHead(status, responseHeaders(headers, request.req.headers["x-request-id"] as string));
    if (!headers["content-type"]?.startsWith("text/event-stream")) return;
    // An event may be a long time coming; the browser should know that the stream is open.
    res.flushHeaders();
    this.own.streams.add(res, request.access);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { res } = this;
    if (res.writableEnded || res.write(chunk)) return;
    controller.pause();
    res.once("drain", () => controller.resume());
  }

  onResponseEnd(): void {
    this.complete = true;
    this.res.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    const { res, request, own } = this;
    if (res.destroyed || res.writableEnded) return;
    const { code = "unknown" } = error;
    // A kept connection that the backend has just closed fails before anything was answered.
    const stale = code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE";
    if (stale && this.repeat && !res.headersSent) return this.repeat();
    if (code === "UND_ERR_INVALID_ARG") return sendProblem(res, 400, "Bad Request", "The address or a header is malformed.");
    own.metrics.upstreamErrors.inc({ code });
    own.logger.warn({ code, request_id: request.req.headers["x-request-id"] }, "the backend does not answer");
    if (code === "UND_ERR_HEADERS_TIMEOUT") {
      return sendProblem(res, 504, "Gateway Timeout", "The backend took too long to answer. What was asked may still happen.");
    }
    sendBackendAway(res);
  }
}
