import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { clientOf } from "./caller.js";

/** Of one connection only (RFC 9110, 7.6.1), so never passed on. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
/** This server's to say: where the request comes from and who sends it. Cookies are for this server alone. */
const OURS = ["authorization", "cookie", "expect", "forwarded", "host", "http2-settings", "x-real-ip"];
const NOT_SENT = new Set([...HOP_BY_HOP, ...OURS, ...["for", "host", "port", "prefix", "proto"].map((name) => `x-forwarded-${name}`)]);
const NOT_RETURNED = new Set([...HOP_BY_HOP, "x-request-id"]);

/**
 * Headers for the backend, name and value by turns: the browser's own but for those of the connection, and this
 * server's. A name with `_` is dropped, because WSGI cannot tell it from the one with `-` (`X_Forwarded_For`).
 */
export function requestHeaders(req: IncomingMessage, authorization: string | undefined): string[] {
  const { ip, host, secure } = clientOf(req);
  const nominated = nominatedBy(req.headers.connection);
  const list = ["x-forwarded-for", ip, "x-forwarded-proto", secure ? "https" : "http", "x-forwarded-host", host];
  if (authorization !== undefined) list.push("authorization", authorization);
  for (const name in req.headers) {
    if (NOT_SENT.has(name) || name.includes("_") || nominated?.has(name)) continue;
    list.push(name, req.headers[name] as string);
  }
  return list;
}

/** Headers for the browser, name and value by turns. */
export function responseHeaders(headers: IncomingHttpHeaders, requestId: string): string[] {
  const nominated = nominatedBy(headers.connection);
  const list = ["X-Request-ID", requestId];
  for (const name in headers) {
    if (NOT_RETURNED.has(name) || nominated?.has(name)) continue;
    const value = headers[name];
    if (typeof value === "string") list.push(name, value);
    else for (const each of value ?? []) list.push(name, each);
  }
  return list;
}

/** The headers that a `Connection` header makes part of this one connection. */
function nominatedBy(connection: string | undefined): Set<string> | undefined {
  if (connection === undefined || connection === "keep-alive" || connection === "close") return undefined;
  return new Set(connection.toLowerCase().split(",").map((name) => name.trim()));
}
