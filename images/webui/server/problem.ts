import type { ServerResponse } from "node:http";
import type { ErrorRequestHandler } from "express";
import type { Logger } from "pino";

/** RFC 9457 problem details, as the backend sends them. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  request_id?: string;
}

/** Answer with a problem; an answer that has already begun is broken off instead. */
export function sendProblem(
  res: ServerResponse,
  status: number,
  title: string,
  detail?: string,
  headers: Record<string, string> = {},
): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const request_id = requestIdOf(res);
  const problem: Problem = { type: "about:blank", title, status, detail, request_id };
  const body = Buffer.from(JSON.stringify(problem));
  res.writeHead(status, {
    "Content-Type": "application/problem+json; charset=utf-8",
    "Content-Length": body.length,
    "Cache-Control": "no-store",
    "X-Request-ID": request_id,
    ...headers,
  });
  res.end(body);
}

export function sendBackendAway(res: ServerResponse): void {
  const detail = "The backend does not answer. Try again in a few seconds.";
  sendProblem(res, 503, "Service Unavailable", detail, { "Retry-After": "5" });
}

/** Last error handler: the client gets a problem without internals, the log gets the error. */
export function problemHandler(logger: Logger): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  return (error: { status?: number; expose?: boolean; message?: string }, _req, res, _next) => {
    const status = error.status && error.status >= 400 && error.status < 500 ? error.status : 500;
    if (status === 500) logger.error({ err: error, request_id: requestIdOf(res) }, "request failed");
    const title = status === 500 ? "Internal Server Error" : "Bad Request";
    sendProblem(res, status, title, error.expose ? error.message : undefined);
  };
}

/** The id that `front.ts` gave the request. */
function requestIdOf(res: ServerResponse): string {
  return res.req.headers["x-request-id"] as string;
}
