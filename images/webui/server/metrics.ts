import type { Request, RequestHandler } from "express";
import { collectDefaultMetrics, Counter, Histogram, Registry } from "prom-client";

export interface Metrics {
  registry: Registry;
  /** Times and counts every request but those of the probes. */
  middleware: RequestHandler;
  refreshes: Counter<"result">;
  upstreamErrors: Counter<"code">;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = new Counter({
    name: "http_requests_total",
    help: "Requests answered, by method, route and status.",
    labelNames: ["method", "route", "status"] as const,
    registers,
  });
  const latency = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time from the request's first byte to the end of its answer.",
    labelNames: ["method", "route"] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const refreshes = new Counter({
    name: "webui_session_refreshes_total",
    help: "Access tokens renewed at the backend, by result.",
    labelNames: ["result"] as const,
    registers,
  });
  const upstreamErrors = new Counter({
    name: "webui_upstream_errors_total",
    help: "Requests the backend could not be reached for, by error code.",
    labelNames: ["code"] as const,
    registers,
  });

  const middleware: RequestHandler = (req, res, next) => {
    const route = routeOf(req);
    const stop = latency.startTimer({ method: req.method, route });
    res.once("close", () => {
      stop();
      requests.inc({ method: req.method, route, status: res.statusCode });
    });
    next();
  };
  return { registry, middleware, refreshes, upstreamErrors };
}

/** Few, fixed labels: a path is the client's choice and would grow the metrics without bound. */
function routeOf(req: Request): string {
  if (req.path.startsWith("/api/")) return "/api";
  if (req.path.startsWith("/assets/")) return "/assets";
  if (/^\/bff\/(login|login\/second-factor|logout|session|config)$/.test(req.path)) return req.path;
  return "page";
}
