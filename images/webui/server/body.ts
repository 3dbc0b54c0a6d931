import type { IncomingMessage, ServerResponse } from "node:http";
import { sendProblem } from "./problem.js";

/** The backend's own limit. */
export const MAX_BODY_BYTES = 1024 * 1024;
const ARRIVAL_MS = 15_000;

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/**
 * Receive the whole body before the backend hears of the request: there a thread would wait for it, and a few
 * clients that stop half-way would take all of them. Here waiting costs nothing.
 *
 * @returns the body; undefined when the request was refused, or its client went away.
 */
export function receiveBody(req: IncomingMessage, res: ServerResponse, arrivalMs = ARRIVAL_MS): Promise<Buffer | undefined> {
  if (Number(req.headers["content-length"] ?? 0) > MAX_BODY_BYTES) return Promise.resolve(refuseTooLong(res));
  return new Promise((resolve) => {
    const late = setTimeout(() => {
      sendProblem(res, 408, "Request Timeout", `The body did not arrive in ${arrivalMs / 1000} s.`, { Connection: "close" });
      resolve(undefined);
    }, arrivalMs);
    const chunks: Buffer[] = [];
    let size = 0;
    req.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) chunks.push(chunk);
      else if (!res.headersSent) resolve(refuseTooLong(res));
    });
    req.once("end", () => resolve(res.headersSent ? undefined : Buffer.concat(chunks)));
    req.once("error", () => resolve(undefined));
    req.once("close", () => {
      clearTimeout(late);
      resolve(undefined);
    });
  });
}

/** The connection ends with the answer: the rest of the body would have to be read otherwise. */
function refuseTooLong(res: ServerResponse): undefined {
  sendProblem(res, 413, "Content Too Large", `The limit is ${MAX_BODY_BYTES} bytes.`, { Connection: "close" });
}
