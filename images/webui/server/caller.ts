import type { IncomingMessage } from "node:http";
import proxyAddr from "proxy-addr";
import type { Caller } from "./backend.js";

/** Only a proxy inside the cluster or on this machine may say who the client is. */
const trusted = proxyAddr.compile(["loopback", "linklocal", "uniquelocal"]);

/** The browser's side of a request, as the proxies in front of this server saw it. */
export interface Client {
  ip: string;
  /** Host and port of the address bar; empty without a Host header. */
  host: string;
  /** The browser came by TLS; this server itself never speaks it. */
  secure: boolean;
}

/** How a socket of both families writes an IPv4 address. */
const MAPPED = "::ffff:";

const known = new WeakMap<IncomingMessage, Client>();

export function clientOf(req: IncomingMessage): Client {
  let client = known.get(req);
  if (!client) known.set(req, (client = look(req)));
  return client;
}

function look(req: IncomingMessage): Client {
  const { headers, socket } = req;
  const behindProxy = trusted(socket.remoteAddress ?? "", 0);
  const ip = headers["x-forwarded-for"] === undefined ? (socket.remoteAddress ?? "") : proxyAddr(req, trusted);
  return {
    ip: ip.startsWith(MAPPED) ? ip.slice(MAPPED.length) : ip,
    host: (behindProxy ? first(headers["x-forwarded-host"]) : undefined) ?? headers.host ?? "",
    secure: behindProxy && first(headers["x-forwarded-proto"]) === "https",
  };
}

/** Who sent this request, as the server's own calls to the backend pass it on. */
export function callerOf(req: IncomingMessage): Caller {
  const requestId = req.headers["x-request-id"] as string;
  return { requestId, ip: clientOf(req).ip, userAgent: req.headers["user-agent"] };
}

function first(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value.split(",", 1)[0]?.trim() : undefined;
}
