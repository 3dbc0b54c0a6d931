import { collectDefaultMetrics, Counter, Histogram, Registry } from "prom-client";

export interface Metrics {
  registry: Registry;
  /** Count and time an answered request; `route` is one of few. */
  observe: (method: string, route: string, status: number, seconds: number) => void;
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

  function observe(method: string, route: string, status: number, seconds: number): void {
    requests.inc({ method, route, status });
    latency.observe({ method, route }, seconds);
  }
  return { registry, observe, refreshes, upstreamErrors };
}
