import { Agent } from "node:http";
import express, { type Express, type RequestHandler } from "express";
import type { Logger } from "pino";
import { Backend, BackendAway } from "./backend.js";
import { bffRoutes } from "./bff/routes.js";
import type { Config } from "./config.js";
import { healthRoutes, type Lifecycle } from "./health.js";
import { requestLogging } from "./logging.js";
import { createMetrics } from "./metrics.js";
import { problemHandler, sendBackendAway, sendProblem } from "./problem.js";
import { authorizeFromCookies, backendProxy, limitBody } from "./proxy.js";
import { Refresher } from "./refresh.js";
import { csrfProtection, securityHeaders } from "./security.js";

export interface AppDependencies {
  config: Config;
  logger: Logger;
  /** Serves the single-page application: the built files, or Vite in development. */
  pages: RequestHandler;
  lifecycle?: Lifecycle;
  /** Development only: Vite's hot reload needs inline scripts. */
  withoutSecurityHeaders?: boolean;
}

export function createApp(dependencies: AppDependencies): Express {
  const { config, logger, pages, lifecycle = { draining: false } } = dependencies;
  const agent = new Agent({ keepAlive: true, maxSockets: 256, maxFreeSockets: 32, scheduling: "lifo" });
  const metrics = createMetrics();
  const backend = new Backend(config.backendUrl, agent);
  const refresher = new Refresher(backend, metrics.refreshes);
  const proxy = backendProxy({ backendUrl: config.backendUrl, agent, logger, metrics });

  const app = express();
  app.disable("x-powered-by");
  // Only a proxy inside the cluster or on this machine may say who the client is.
  app.set("trust proxy", "loopback, linklocal, uniquelocal");
  app.use(requestLogging(logger));
  if (!dependencies.withoutSecurityHeaders) app.use(securityHeaders());
  app.use(healthRoutes(backend, metrics.registry, lifecycle));
  app.use(metrics.middleware);
  app.use(csrfProtection());
  app.use("/bff", bffRoutes({ config, backend, refresher }));
  app.use("/bff", (_req, res) => sendProblem(res, 404, "Not Found"));
  app.use("/api", limitBody(), authorizeFromCookies(refresher), proxy);
  app.get("/.well-known/jwks.json", withoutCookies, proxy);
  app.use(pages);
  app.use(backendAwayHandler);
  app.use(problemHandler(logger));
  return app;
}

const withoutCookies: RequestHandler = (req, _res, next) => {
  delete req.headers.cookie;
  next();
};

const backendAwayHandler: express.ErrorRequestHandler = (error, _req, res, next) => {
  if (!(error instanceof BackendAway)) return next(error);
  sendBackendAway(res);
};
