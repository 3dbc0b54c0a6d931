import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Router, type RequestHandler } from "express";
import expressStaticGzip from "express-static-gzip";
import { sendProblem } from "./problem.js";
import { nonceOf } from "./security.js";

/** The built single-page application: hashed assets for ever, the page itself always revalidated. */
export function staticFiles(directory: string, basePath: string): Router {
  const router = Router();
  const options = { enableBrotli: true, orderPreference: ["br", "gz"] as string[], index: false as const };
  const assets = { ...options, serveStatic: { immutable: true, maxAge: "1y", redirect: false } };
  router.use("/assets", expressStaticGzip(join(directory, "assets"), assets));
  router.use("/assets", (_req, res) => sendProblem(res, 404, "Not Found", "No such asset."));
  router.use(expressStaticGzip(directory, { ...options, serveStatic: { maxAge: "1h", redirect: false } }));
  router.use(page(directory, basePath));
  return router;
}

/** Every other path is a route of the application, which also draws the page for unknown ones. */
function page(directory: string, basePath: string): RequestHandler {
  // Vite writes addresses relative to this page, which is served at every depth.
  const html = readFileSync(join(directory, "index.html"), "utf8")
    .replaceAll('="./', `="${basePath}/`)
    .replace("__BASE_PATH__", basePath);
  return (req, res) => {
    if (req.method !== "GET" && req.method !== "HEAD") {
      res.set("Allow", "GET, HEAD");
      return sendProblem(res, 405, "Method Not Allowed");
    }
    res.set("Cache-Control", "no-cache");
    res.type("html").send(html.replaceAll("__CSP_NONCE__", nonceOf(res)));
  };
}
