import { Router, type RequestHandler } from "express";
import type { Registry } from "prom-client";
import type { Backend } from "./backend.js";

export interface Lifecycle {
  draining: boolean;
  /** Ends what would stay open by itself; set by the application. */
  onDrain?: () => void;
}

export const alive: RequestHandler = (_req, res) => void res.json({ status: "ok" });

/**
 * `/healthz`, `/readyz`, `/metrics`. With the backend away this server stays ready, because the page that says so
 * comes from here; the check tells. It is unready only while it drains.
 */
export function healthRoutes(backend: Backend, registry: Registry, lifecycle: Lifecycle): Router {
  const router = Router();
  router.get("/healthz", alive);
  router.get("/readyz", async (_req, res) => {
    const status = lifecycle.draining ? "unavailable" : "ok";
    const checks = { "flask-backend": await backendCheck(backend) };
    res.status(lifecycle.draining ? 503 : 200).json({ status, checks });
  });
  router.get("/metrics", async (_req, res) => {
    res.type(registry.contentType).send(await registry.metrics());
  });
  return router;
}

async function backendCheck(backend: Backend): Promise<{ status: string; detail: string }> {
  try {
    const { status } = await backend.ready();
    return status === 200
      ? { status: "ok", detail: "" }
      : { status: "unavailable", detail: `the backend is not ready (HTTP ${status})` };
  } catch (error) {
    return { status: "unavailable", detail: (error as Error).message };
  }
}
