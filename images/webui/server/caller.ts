import type { Request } from "express";
import type { Caller } from "./backend.js";

/** Who sent this request, as the server's own calls to the backend pass it on. */
export function callerOf(req: Request): Caller {
  return { requestId: req.id as string, ip: req.ip ?? "", userAgent: req.get("user-agent") };
}
