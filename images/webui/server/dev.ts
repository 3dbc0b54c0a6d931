import type { RequestHandler } from "express";
import { createServer as createVite } from "vite";
import { createApp } from "./app.js";
import { readConfig } from "./config.js";
import { createLogger } from "./logging.js";
import { serve } from "./serve.js";

/** Development: the same server, with Vite as its source of pages and hot reload on the same port. */
const env = { BACKEND_URL: "http://127.0.0.1:5000", ENVIRONMENT: "alpha", ...process.env };
const config = readConfig(env);
const logger = createLogger(config);
const lifecycle = { draining: false };

const { basePath } = config;
const vite = await createVite({
  base: `${basePath}/`,
  plugins: [{ name: "base-path", transformIndexHtml: (html) => html.replace("__BASE_PATH__", basePath) }],
  server: { middlewareMode: true, hmr: { port: config.port + 20_000 } },
  appType: "spa",
});
const pages: RequestHandler = (req, res, next) => {
  // Vite knows its base path itself, Express has taken it off.
  req.url = req.originalUrl;
  vite.middlewares(req, res, next);
};
const app = createApp({ config, logger, lifecycle, pages, withoutSecurityHeaders: true });
await serve(app, { port: config.port, logger, lifecycle, lingerMs: 0 });
