/** A refusal or failure of a request, from RFC 9457 problem details where the answer holds them. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    message: string,
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    readonly requestId?: string,
    /** Messages by field name, from a 422 answer. */
    readonly fields: Readonly<Record<string, string>> = {},
    /** Seconds the server asks to wait before another try. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** What a rejected fetch means; a cancelled one stays as it is. */
export function networkErrorFrom(reason: unknown): unknown {
  if (reason instanceof DOMException && reason.name === "AbortError") return reason;
  return new ApiError("The server cannot be reached. Check your connection and try again.", 0);
}

/** Read a failed answer into an `ApiError`, whatever its body is. */
export function apiErrorFrom(response: Response, body: unknown): ApiError {
  const problem = isRecord(body) ? body : {};
  const text = [problem.detail, problem.title].find((value) => typeof value === "string" && value !== "");
  const requestId = typeof problem.request_id === "string" ? problem.request_id : response.headers.get("x-request-id");
  return new ApiError(
    typeof text === "string" ? text : `The server answered with status ${response.status}.`,
    response.status,
    requestId ?? undefined,
    fieldMessages(problem.errors),
    retryAfter(response),
  );
}

function retryAfter(response: Response): number | undefined {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds > 0 ? Math.ceil(seconds) : undefined;
}

/** Messages by field from `errors`, `{location: {field: [message]}}`, whatever the location. */
function fieldMessages(errors: unknown): Record<string, string> {
  const found: Record<string, string> = {};
  collect(errors, found);
  return found;
}

function collect(errors: unknown, found: Record<string, string>): void {
  if (!isRecord(errors)) return;
  for (const [key, value] of Object.entries(errors)) {
    if (typeof value === "string") found[key] = value;
    else if (Array.isArray(value) && value.every((text) => typeof text === "string")) found[key] = value.join(" ");
    else collect(value, found);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
