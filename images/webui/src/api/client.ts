import createClient from "openapi-fetch";
import { basePath } from "@/lib/base-path";
import { sendOnce } from "./idempotency";
import { apiErrorFrom, networkErrorFrom } from "./problem";
import type { paths } from "./schema";

/** Tells the server that a page of its own sent the request: another site cannot set it. */
export const CSRF_HEADERS = { "X-Requested-With": "triptych" } as const;

/** Where something of this server's is, under the path that it is served at. */
export const apiAddress = (path: string) => `${basePath()}${path}`;

/** The backend's API, typed by its OpenAPI document; the server adds the session to every request. */
export const api = createClient<paths>({
  baseUrl: window.location.origin + basePath(),
  headers: CSRF_HEADERS,
  fetch: sendOnce,
});

interface Reply<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * The body of a 2xx answer.
 * @throws ApiError for every other answer, and when none comes.
 */
export async function bodyOf<T>(call: Promise<Reply<T>>): Promise<T> {
  const { data, error, response } = await call.catch((reason: unknown) => {
    throw networkErrorFrom(reason);
  });
  if (!response.ok) throw apiErrorFrom(response, error);
  return data as T;
}
