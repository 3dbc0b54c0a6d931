import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pino, type Logger } from "pino";
import { pinoHttp } from "pino-http";
import type { Config } from "./config.js";

const REQUEST_ID = /^[\w.-]{1,64}$/;

export function createLogger({ logLevel, version, environment }: Config): Logger {
  return pino({
    level: logLevel,
    base: { component: "webui", version, environment },
    timestamp: pino.stdTimeFunctions.isoTime,
    messageKey: "message",
    formatters: { level: (label) => ({ level: label }) },
  });
}

/** One line per request. Headers, bodies and query strings stay out: they may hold secrets. */
export function requestLogging(logger: Logger, basePath: string) {
  const quiet = (url = "") => /^\/(healthz|readyz|metrics)$/.test(url) || url.startsWith(`${basePath}/assets/`);
  return pinoHttp({
    logger,
    genReqId: takeRequestId,
    autoLogging: { ignore: (req) => quiet(req.url) },
    customLogLevel: (_req, res, error) => (error || res.statusCode >= 500 ? "error" : "info"),
    customProps: (req) => ({ request_id: req.id }),
    serializers: {
      req: (req: { method: string; url: string; remoteAddress: string }) => ({
        method: req.method,
        path: req.url.split("?", 1)[0],
        client: req.remoteAddress,
      }),
      res: (res: { statusCode: number }) => ({ status: res.statusCode }),
    },
  });
}

/** Keep a well-formed id of the caller, else make one; pass it on and answer with it. */
function takeRequestId(req: IncomingMessage, res: ServerResponse): string {
  const given = req.headers["x-request-id"];
  const id = typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
  req.headers["x-request-id"] = id;
  res.setHeader("X-Request-ID", id);
  return id;
}
