import { ApiError, apiErrorFrom, NETWORK_ERROR } from "./problem";

/** Tells the server that a page of its own sent the request: another site cannot set it. */
export const CSRF_HEADERS = { "X-Requested-With": "triptych" } as const;

/**
 * Send a request to this page's own server and read its JSON answer.
 * @throws ApiError for every answer that is not 2xx, and when none comes.
 */
export async function requestJson<T>(path: string, init: RequestInit & { json?: unknown } = {}): Promise<T> {
  const { json, ...rest } = init;
  const headers = new Headers({ Accept: "application/json", ...CSRF_HEADERS });
  if (json !== undefined) headers.set("Content-Type", "application/json");
  const body = json === undefined ? undefined : JSON.stringify(json);
  const response = await fetch(path, { ...rest, headers, body }).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw NETWORK_ERROR;
  });
  const text = await response.text();
  const parsed = parse(text);
  if (!response.ok) throw apiErrorFrom(response, parsed);
  if (text !== "" && parsed === undefined) throw new ApiError("The server's answer is not JSON.", response.status);
  return parsed as T;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
