import { pino, type Logger } from "pino";
import type { Config } from "./config.js";

export function createLogger({ logLevel, version, environment }: Config): Logger {
  return pino({
    level: logLevel,
    base: { component: "webui", version, environment },
    timestamp: pino.stdTimeFunctions.isoTime,
    messageKey: "message",
    formatters: { level: (label) => ({ level: label }) },
  });
}
