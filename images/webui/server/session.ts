import { parseCookie, stringifySetCookie } from "cookie";
import type { Request, Response } from "express";
import type { TokenSet } from "./backend.js";

/** The tokens a browser's cookies carry; the browser's scripts never see them. */
export interface SessionCookies {
  access?: string;
  refresh?: string;
}

const NAMES = { access: "triptych_access", refresh: "triptych_refresh" } as const;
/** Seconds before its real end at which an access token stops being used. */
const EARLY_EXPIRY = 10;

/** `__Host-` pins a cookie to this host and TLS, so it is only possible where the browser came by TLS. */
function cookieName(req: Request, kind: keyof typeof NAMES): string {
  return req.secure ? `__Host-${NAMES[kind]}` : NAMES[kind];
}

export function readSession(req: Request): SessionCookies {
  const cookies = parseCookie(req.headers.cookie ?? "");
  return {
    access: cookies[cookieName(req, "access")],
    refresh: cookies[cookieName(req, "refresh")],
  };
}

export function hasSession(req: Request): boolean {
  const { access, refresh } = readSession(req);
  return access !== undefined || refresh !== undefined;
}

export function writeSession(req: Request, res: Response, tokens: TokenSet): void {
  const accessAge = Math.max(1, tokens.expires_in - EARLY_EXPIRY);
  appendCookie(req, res, "access", tokens.access_token, accessAge);
  appendCookie(req, res, "refresh", tokens.refresh_token, remainingLife(tokens.refresh_token));
}

export function clearSession(req: Request, res: Response): void {
  appendCookie(req, res, "access", "", 0);
  appendCookie(req, res, "refresh", "", 0);
}

function appendCookie(
  req: Request,
  res: Response,
  kind: keyof typeof NAMES,
  value: string,
  maxAge: number | undefined,
): void {
  const cookie = stringifySetCookie({
    name: cookieName(req, kind),
    value,
    maxAge,
    path: "/",
    httpOnly: true,
    sameSite: "strict",
    secure: req.secure,
  });
  res.append("Set-Cookie", cookie);
}

/** Seconds until the `exp` of a JWT; undefined (a cookie for the browser session) for any other token. */
function remainingLife(token: string): number | undefined {
  try {
    const payload = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as unknown;
    const { exp } = payload as { exp?: unknown };
    return typeof exp === "number" ? Math.max(1, Math.floor(exp - Date.now() / 1000)) : undefined;
  } catch {
    return undefined;
  }
}
