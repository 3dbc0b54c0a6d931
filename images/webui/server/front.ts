import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { clientOf } from "./caller.js";
import type { Metrics } from "./metrics.js";
import type { BackendProxy } from "./proxy.js";

/** As the backend takes them: both logs and the browser know a request by the same id. */
const REQUEST_ID = /^[\w.-]{8,64}$/;

export interface FrontDependencies {
  basePath: string;
  logger: Logger;
  metrics: Metrics;
  proxy: BackendProxy;
  /** Everything that is not proxied. */
  app: RequestListener;
}

/** First to see a request: gives it an id, a log line and a place in the metrics, and sends it to proxy or Express. */
export function createFront({ basePath, logger, metrics, proxy, app }: FrontDependencies): RequestListener {
  const api = `${basePath}/api/`;
  const jwks = `${basePath}/.well-known/jwks.json`;

  return (req, res) => {
    const started = performance.now();
    const { method = "", url = "/" } = req;
    const request_id = takeRequestId(req);
    const { ip } = clientOf(req);
    const path = url.split("?", 1)[0] ?? url;
    const proxied = url.startsWith(api) || path === jwks;
    const route = proxied ? "/api" : routeOf(path, basePath);
    res.once("close", () => {
      if (route === "probe") return;
      const seconds = (performance.now() - started) / 1000;
      metrics.observe(method, route, res.statusCode, seconds);
      if (route === "/assets") return;
      const status = res.statusCode;
      log(res, { request_id, method, path, client: ip, status, duration_ms: Math.round(seconds * 1000) });
    });
    if (proxied) return proxy.handle(req, res);
    res.setHeader("X-Request-ID", request_id);
    app(req, res);
  };

  /** One line per request. Headers, bodies and query strings stay out: they may hold secrets. */
  function log({ statusCode, writableFinished }: ServerResponse, line: object): void {
    logger[statusCode >= 500 ? "error" : "info"](line, writableFinished ? "request completed" : "request aborted");
  }
}

/** Keep a well-formed id of the caller, else make one; the proxy and the server's own calls pass it on. */
function takeRequestId(req: IncomingMessage): string {
  const given = req.headers["x-request-id"];
  const id = typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
  req.headers["x-request-id"] = id;
  return id;
}

/** Few, fixed labels: a path is the client's choice and would grow the metrics without bound. */
function routeOf(path: string, basePath: string): string {
  if (/^\/(healthz|readyz|metrics)$/.test(path)) return "probe";
  const own = path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : path;
  if (own.startsWith("/assets/")) return "/assets";
  if (/^\/bff\/(login|login\/second-factor|logout|session|config)$/.test(own)) return own;
  return "page";
}
