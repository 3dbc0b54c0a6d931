import { apiAddress, CSRF_HEADERS } from "./client";
import { apiErrorFrom, networkErrorFrom } from "./problem";
import type { SessionUser } from "./types";

export interface RuntimeConfig {
  environment: "alpha" | "beta" | "production";
  version: string;
  /** Whether the browser holds session cookies; they may have expired. */
  signed_in: boolean;
}

export const fetchConfig = () => request<RuntimeConfig>("GET", "/bff/config");
export const fetchSession = async () => (await request<{ user: SessionUser }>("GET", "/bff/session")).user;
export const logout = () => request<undefined>("POST", "/bff/logout");
/** Whether this page's own server lives. */
export const fetchHealth = (signal: AbortSignal) => request<{ status: string }>("GET", "/healthz", undefined, signal);

/** Signed in, or one step before it: the account has a second factor. */
export type LoginResult = { user: SessionUser } | { challenge_token: string; expires_in: number };

export const login = (email: string, password: string) => request<LoginResult>("POST", "/bff/login", { email, password });
export const loginWithCode = (challenge_token: string, code: string) =>
  request<{ user: SessionUser }>("POST", "/bff/login/second-factor", { challenge_token, code });

/** @throws ApiError for every answer that is not 2xx, and when none comes. */
async function request<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers = { Accept: "application/json", "Content-Type": "application/json", ...CSRF_HEADERS };
  const json = body === undefined ? undefined : JSON.stringify(body);
  const response = await fetch(apiAddress(path), { method, headers, body: json, signal }).catch((reason: unknown) => {
    throw networkErrorFrom(reason);
  });
  const parsed: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw apiErrorFrom(response, parsed);
  return parsed as T;
}
