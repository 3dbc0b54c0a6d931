import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { RequestHandler, Response } from "express";
import helmet from "helmet";
import { clientOf } from "./caller.js";
import { sendProblem } from "./problem.js";
import type { SessionCookies } from "./session.js";

export const CSRF_HEADER = "x-requested-with";
export const CSRF_VALUE = "triptych";
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** Security headers. HSTS only matters over TLS, where browsers heed it; over plain HTTP they ignore it. */
export function securityHeaders(): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        // The nonce is for the scroll lock of dialogs, which adds a style element.
        styleSrc: ["'self'", (_req, res) => `'nonce-${nonceOf(res)}'`],
        imgSrc: ["'self'", "data:"],
        fontSrc: ["'self'"],
        connectSrc: ["'self'"],
        manifestSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    crossOriginEmbedderPolicy: false,
    strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: false },
    referrerPolicy: { policy: "same-origin" },
    xFrameOptions: { action: "deny" },
  });
}

/** The nonce of this answer's style elements, made on first use. */
export function nonceOf(res: ServerResponse): string {
  const { locals } = res as Response;
  locals.nonce ??= randomBytes(16).toString("base64");
  return locals.nonce as string;
}

/** Refuse forged browser requests to `/bff/*`, and unsafe ones to `/api/*` that a cookie would authorise. */
export function csrfProtection(sessions: SessionCookies): RequestHandler {
  return (req, res, next) => {
    const ours = req.path.startsWith("/bff/");
    const unsafe = !SAFE_METHODS.has(req.method);
    const guarded = ours || (unsafe && sessions.has(req) && !req.headers.authorization);
    if (!guarded) return next();
    if (!isSameOrigin(req)) return sendProblem(res, 403, "Forbidden", "Cross-site request refused.");
    if (unsafe && req.headers[CSRF_HEADER] !== CSRF_VALUE) {
      return sendProblem(res, 403, "Forbidden", `Send the header X-Requested-With: ${CSRF_VALUE}.`);
    }
    next();
  };
}

function isSameOrigin(req: IncomingMessage): boolean {
  const site = req.headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return false;
  const { origin } = req.headers;
  if (origin === undefined) return true;
  try {
    return new URL(origin).host === clientOf(req).host;
  } catch {
    return false;
  }
}
