import type { ErrorRequestHandler, Response } from "express";
import type { Logger } from "pino";

/** RFC 9457 problem details, as the backend sends them. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  request_id?: string;
}

export function sendProblem(res: Response, status: number, title: string, detail?: string): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const problem: Problem = { type: "about:blank", title, status, detail, request_id: requestIdOf(res) };
  res.status(status).type("application/problem+json").set("Cache-Control", "no-store");
  res.send(JSON.stringify(problem));
}

export function sendBackendAway(res: Response): void {
  res.set("Retry-After", "5");
  sendProblem(res, 503, "Service Unavailable", "The backend does not answer. Try again in a few seconds.");
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

function requestIdOf(res: Response): string | undefined {
  const id = res.getHeader("x-request-id");
  return typeof id === "string" ? id : undefined;
}
