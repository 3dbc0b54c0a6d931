import { createServer, type RequestListener, type Server } from "node:http";
import type { Logger } from "pino";
import type { Lifecycle } from "./health.js";

/** Longest time open requests get to end after SIGTERM; below the usual 30 s grace period of a pod. */
const DRAIN_MS = 20_000;
/** Time for the endpoints to leave the load balancers before connections are refused. */
const LINGER_MS = 1_000;

export interface ServeOptions {
  port: number;
  logger: Logger;
  lifecycle: Lifecycle;
  lingerMs?: number;
}

/**
 * Listen, and on SIGTERM or SIGINT become unready, end open requests and close.
 * @returns once listening; the process ends by itself after a drain.
 */
export async function serve(listener: RequestListener, options: ServeOptions): Promise<Server> {
  const server = createServer(
    { requestTimeout: 60_000, headersTimeout: 15_000, keepAliveTimeout: 65_000, maxHeaderSize: 16_384 },
    listener,
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, resolve);
  });
  options.logger.info({ port: options.port }, "listening");
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => void drain(server, signal, options));
  }
  return server;
}

async function drain(server: Server, signal: string, options: ServeOptions): Promise<void> {
  const { logger, lifecycle, lingerMs = LINGER_MS } = options;
  logger.info({ signal }, "draining");
  lifecycle.draining = true;
  await new Promise((resolve) => setTimeout(resolve, lingerMs));
  lifecycle.onDrain?.();
  // Kept connections become idle one by one, each when its request ends.
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  const forced = setTimeout(() => server.closeAllConnections(), DRAIN_MS).unref();
  server.close(() => {
    clearInterval(idle);
    clearTimeout(forced);
    logger.info("stopped");
    process.exit(0);
  });
}
