import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { RequestHandler, Response } from "express";
import helmet from "helmet";
import { clientOf } from "./caller.js";
import { sendProblem } from "./problem.js";

export const CSRF_HEADER = "x-requested-with";
export const CSRF_VALUE = "triptych";

/** Headers of pages and assets; answers of the API carry the backend's own. Browsers heed HSTS over TLS only. */
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

/** Refuse every request that another site's page made a browser send, and unsafe ones without the custom header. */
export const csrfProtection: RequestHandler = (req, res, next) => {
  const forgery = forgeryIn(req);
  if (forgery) return sendProblem(res, 403, "Forbidden", forgery);
  next();
};

/** Why a request that a cookie authorises may be forged; undefined when it is the page's own. */
export function forgeryIn(req: IncomingMessage): string | undefined {
  if (!isSameOrigin(req)) return "Cross-site request refused.";
  if (isUnsafe(req) && req.headers[CSRF_HEADER] !== CSRF_VALUE) return `Send the header X-Requested-With: ${CSRF_VALUE}.`;
  return undefined;
}

export function isUnsafe({ method }: IncomingMessage): boolean {
  return method !== "GET" && method !== "HEAD" && method !== "OPTIONS";
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
