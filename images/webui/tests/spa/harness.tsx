import { render } from "@testing-library/react";
import { vi } from "vitest";
import { App, createApp } from "@/app";
import type { PermissionDocument, PlatformStatus, Role, User } from "@/api/types";

interface Answer {
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
}
export type Handler = (request: { path: string; query: URLSearchParams; json: unknown }) => Answer | Promise<Answer>;

export interface SentRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  json: unknown;
  headers: Headers;
}

export const userOf = (role: Role, id = 1): User => ({
  id,
  email: `${role}@example.com`,
  full_name: `Some ${role}`,
  role,
  tenant: "default",
  is_active: true,
  must_change_password: false,
  totp_enabled: false,
  created_at: "2026-11-20T10:00:00Z",
  updated_at: "2026-11-20T10:00:00Z",
});

export const STATUS: PlatformStatus = {
  version: "0.1.0",
  environment: "alpha",
  database_engine: "postgresql",
  schema_version: 1,
  components: [
    { name: "flask-backend", status: "healthy", detail: "", latency_ms: 0.1 },
    { name: "database", status: "healthy", detail: "", latency_ms: 1.5 },
    { name: "redis", status: "unavailable", detail: "connection refused", latency_ms: 0 },
    { name: "go-backend", status: "not_installed", detail: "", latency_ms: 0 },
  ],
  fast_path: { state: "not_installed", nodes: [] },
};

const EVERYBODY: Role[] = ["admin", "maintainer", "viewer"];
const WRITERS: Role[] = ["admin", "maintainer"];
const operation = (name: string, roles: Role[]) => ({ name, method: "GET", path: `/api/v1/${name}`, summary: `Does ${name}`, public: false, session_only: false, roles });

const FOR_EVERYBODY = [
  ...["auth.me", "status.get_status", "status.get_traffic", "permissions.get_permissions", "api_keys.list_keys", "jobs.list_jobs"],
  ...["guard.list_rules", "guard.get_policy", "guard.watch_drops", "events.stream_events", "ingest.list_streams"],
];
const FOR_WRITERS = ["guard.create_rule", "guard.set_policy", "ingest.tail", "jobs.start_job"];
const FOR_ADMINS = ["users.list_users", "users.get_user", "audit.list_events", "audit.export_events", "webhooks.list_webhooks"];

/** What every page asks for, as the backend grants it. */
export const PERMISSIONS: PermissionDocument = {
  roles: EVERYBODY,
  operations: [
    ...FOR_EVERYBODY.map((name) => operation(name, EVERYBODY)),
    ...FOR_WRITERS.map((name) => operation(name, WRITERS)),
    ...FOR_ADMINS.map((name) => operation(name, ["admin"])),
  ],
};

/** Open the whole application at a path, its server answered by `routes` (`METHOD /path`). */
export function openApp(path: string, routes: Record<string, Handler> = {}) {
  const sent: SentRequest[] = [];
  const all: Record<string, Handler> = {
    "GET /bff/config": () => ({ body: { environment: "alpha", version: "0.1.0", signed_in: "GET /bff/session" in routes } }),
    "GET /healthz": () => ({ body: { status: "ok" } }),
    "GET /api/v1/status": () => ({ body: STATUS }),
    "GET /api/v1/status/traffic": () => ({ body: { scope: "replica", step_seconds: 10, points: [] } }),
    "GET /api/v1/permissions": () => ({ body: PERMISSIONS }),
    ...routes,
  };
  vi.stubGlobal("fetch", async (input: RequestInfo | URL, init?: RequestInit) => {
    const request = input instanceof Request ? input : new Request(new URL(input, window.location.origin), init);
    const url = new URL(request.url);
    const text = await request.text();
    const json: unknown = text ? JSON.parse(text) : undefined;
    sent.push({ method: request.method, path: url.pathname, query: url.searchParams, json, headers: request.headers });
    const handler = all[`${request.method} ${url.pathname}`];
    if (!handler) throw new Error(`unexpected request: ${request.method} ${url.pathname}`);
    const { status = 200, body, headers } = await handler({ path: url.pathname, query: url.searchParams, json });
    return new Response(body === undefined ? null : JSON.stringify(body), { status, headers });
  });
  window.history.replaceState(null, "", path);
  const app = createApp();
  return { sent, ...app, ...render(<App {...app} />) };
}

export const signedInAs = (role: Role): Record<string, Handler> => ({
  "GET /bff/session": () => ({ body: { user: userOf(role) } }),
});
