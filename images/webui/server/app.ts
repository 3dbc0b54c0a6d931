import { Agent } from "node:http";
import express, { Router, type Express, type RequestHandler } from "express";
import type { Logger } from "pino";
import { Backend, BackendAway } from "./backend.js";
import { bffRoutes } from "./bff/routes.js";
import type { Config } from "./config.js";
import { alive, healthRoutes, type Lifecycle } from "./health.js";
import { requestLogging } from "./logging.js";
import { createMetrics } from "./metrics.js";
import { problemHandler, sendBackendAway, sendProblem } from "./problem.js";
import { authorizeFromCookies, backendProxy, limitBody } from "./proxy.js";
import { Refresher } from "./refresh.js";
import { csrfProtection, securityHeaders } from "./security.js";
import { SessionCookies } from "./session.js";

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
  const { basePath } = config;
  const agent = new Agent({ keepAlive: true, maxSockets: 256, maxFreeSockets: 32, scheduling: "lifo" });
  const metrics = createMetrics();
  const sessions = new SessionCookies(basePath);
  const backend = new Backend(config.backendUrl, agent);
  const refresher = new Refresher(backend, metrics.refreshes);
  const proxy = backendProxy({ backendUrl: config.backendUrl, basePath, agent, logger, metrics });

  const app = express();
  app.disable("x-powered-by");
  app.enable("case sensitive routing");
  app.use(requestLogging(logger, basePath));
  if (!dependencies.withoutSecurityHeaders) app.use(securityHeaders());
  app.use(healthRoutes(backend, metrics.registry, lifecycle));

  const site = Router({ caseSensitive: true });
  site.use(metrics.middleware);
  site.use(csrfProtection(sessions));
  if (basePath) site.get("/healthz", alive);
  site.use("/bff", bffRoutes({ config, backend, refresher, sessions }));
  site.use("/bff", (_req, res) => sendProblem(res, 404, "Not Found"));
  site.use("/api", limitBody(), authorizeFromCookies(sessions, refresher), proxy);
  site.get("/.well-known/jwks.json", withoutCookies, proxy);
  site.use(pages);
  app.use(basePath || "/", site);
  if (basePath) app.use(outside(basePath));
  app.use(backendAwayHandler);
  app.use(problemHandler(logger));
  return app;
}

/** What is not below the base path is somebody else's; only a bare visit is shown the way. */
function outside(basePath: string): RequestHandler {
  return (req, res) => {
    if (req.path === "/") return res.redirect(`${basePath}/`);
    sendProblem(res, 404, "Not Found", `The pages are below ${basePath}/.`);
  };
}

const withoutCookies: RequestHandler = (req, _res, next) => {
  delete req.headers.cookie;
  next();
};

const backendAwayHandler: express.ErrorRequestHandler = (error, _req, res, next) => {
  if (!(error instanceof BackendAway)) return next(error);
  sendBackendAway(res);
};
