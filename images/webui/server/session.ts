import type { IncomingMessage, ServerResponse } from "node:http";
import { parseCookie, stringifySetCookie } from "cookie";
import type { TokenSet } from "./backend.js";
import { clientOf } from "./caller.js";

/** The tokens a browser's cookies carry; the browser's scripts never see them. */
export interface SessionTokens {
  access?: string;
  refresh?: string;
}

const NAMES = { access: "triptych_access", refresh: "triptych_refresh" } as const;
type Kind = keyof typeof NAMES;
/** Seconds before its real end at which an access token stops being used. */
const EARLY_EXPIRY = 10;

/** Keeps sessions in cookies of the path this server is served below (docs/decisions/0017). */
export class SessionCookies {
  constructor(private readonly basePath: string) {}

  read(req: IncomingMessage): SessionTokens {
    const { cookie } = req.headers;
    if (cookie === undefined) return {};
    const cookies = parseCookie(cookie);
    const { secure } = clientOf(req);
    return { access: cookies[this.nameOf("access", secure)], refresh: cookies[this.nameOf("refresh", secure)] };
  }

  /** Whether the request brings any token, good or not. */
  has(req: IncomingMessage): boolean {
    const { access, refresh } = this.read(req);
    return access !== undefined || refresh !== undefined;
  }

  write(req: IncomingMessage, res: ServerResponse, tokens: TokenSet): void {
    const accessAge = Math.max(1, tokens.expires_in - EARLY_EXPIRY);
    this.append(req, res, "access", tokens.access_token, accessAge);
    // The backend bounds a session's life; the browser's end, ending its own session, may come sooner.
    this.append(req, res, "refresh", tokens.refresh_token, undefined);
  }

  clear(req: IncomingMessage, res: ServerResponse): void {
    this.append(req, res, "access", "", 0);
    this.append(req, res, "refresh", "", 0);
  }

  /** A prefix that the browser enforces is only possible over TLS, and `__Host-` only for the path `/`. */
  private nameOf(kind: Kind, secure: boolean): string {
    if (!secure) return NAMES[kind];
    return `${this.basePath ? "__Secure-" : "__Host-"}${NAMES[kind]}`;
  }

  private append(req: IncomingMessage, res: ServerResponse, kind: Kind, value: string, maxAge: number | undefined): void {
    const { secure } = clientOf(req);
    const name = this.nameOf(kind, secure);
    const path = this.basePath || "/";
    res.appendHeader("Set-Cookie", stringifySetCookie({ name, value, maxAge, path, httpOnly: true, sameSite: "strict", secure }));
  }
}
