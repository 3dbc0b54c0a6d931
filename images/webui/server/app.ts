import type { RequestListener } from "node:http";
import express, { Router, type RequestHandler } from "express";
import type { Logger } from "pino";
import { Backend, BackendAway, backendPool, type PoolLimits } from "./backend.js";
import { bffRoutes } from "./bff/routes.js";
import type { Config } from "./config.js";
import { createFront } from "./front.js";
import { alive, healthRoutes, type Lifecycle } from "./health.js";
import { createMetrics } from "./metrics.js";
import { problemHandler, sendBackendAway, sendProblem } from "./problem.js";
import { BackendProxy } from "./proxy.js";
import { Refresher } from "./refresh.js";
import { csrfProtection, securityHeaders } from "./security.js";
import { SessionCookies } from "./session.js";
import { Streams } from "./streams.js";

export interface AppDependencies {
  config: Config;
  logger: Logger;
  /** Serves the single-page application: the built files, or Vite in development. */
  pages: RequestHandler;
  lifecycle?: Lifecycle;
  /** Development only: Vite's hot reload needs inline scripts. */
  withoutSecurityHeaders?: boolean;
  limits?: PoolLimits;
}

/** The whole server, ready to be listened with. */
export function createApp(dependencies: AppDependencies): RequestListener {
  const { config, logger, pages, lifecycle = { draining: false } } = dependencies;
  const { basePath } = config;
  const pool = backendPool(config.backendUrl, dependencies.limits);
  const metrics = createMetrics();
  const sessions = new SessionCookies(basePath);
  const backend = new Backend(pool);
  const refresher = new Refresher(backend, metrics.refreshes);
  const streams = new Streams();
  lifecycle.onDrain = () => streams.endAll();
  const proxy = new BackendProxy({ pool, basePath, sessions, refresher, streams, logger, metrics });

  const site = Router({ caseSensitive: true });
  if (basePath) site.get("/healthz", alive);
  site.use("/bff", csrfProtection, bffRoutes({ config, backend, refresher, sessions, streams }));
  site.use("/bff", (_req, res) => sendProblem(res, 404, "Not Found"));
  site.use(pages);

  const app = express();
  app.disable("x-powered-by");
  app.enable("case sensitive routing");
  if (!dependencies.withoutSecurityHeaders) app.use(securityHeaders());
  app.use(healthRoutes(backend, metrics.registry, lifecycle));
  app.use(basePath || "/", site);
  if (basePath) app.use(outside(basePath));
  app.use(backendAwayHandler);
  app.use(problemHandler(logger));
  return createFront({ basePath, logger, metrics, proxy, app: app as RequestListener });
}

/** What is not below the base path is somebody else's; only a bare visit is shown the way. */
function outside(basePath: string): RequestHandler {
  return (req, res) => {
    if (req.path === "/") return res.redirect(`${basePath}/`);
    sendProblem(res, 404, "Not Found", `The pages are below ${basePath}/.`);
  };
}

const backendAwayHandler: express.ErrorRequestHandler = (error, _req, res, next) => {
  if (!(error instanceof BackendAway)) return next(error);
  sendBackendAway(res);
};
