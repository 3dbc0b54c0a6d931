import type { ApiKey, AuditEvent, Delivery, GuardNode, GuardRule, IngestNode, Job, Session, User, Webhook } from "@/api/types";
import { STATUS, userOf, type Handler } from "./harness";

/** What must appear as text wherever the backend sends it. */
export const MARKUP = "<img src=x onerror=alert(1)>";

const AT = "2026-11-20T10:00:00Z";
const pagination = { page: 1, per_page: 20, total: 1, pages: 1 };

export const USER: User = { ...userOf("viewer", 2), full_name: MARKUP };
const EVENT: AuditEvent = { id: "a", occurred_at: AT, tenant: "", actor_id: 1, actor: MARKUP, credential: "session", action: MARKUP, target_type: "user", target_id: MARKUP, address: "192.0.2.1", request_id: "r", details: {} };
const KEY: ApiKey = { id: 9, user_id: 2, name: MARKUP, prefix: "tt_abc", role: "viewer", created_at: AT, expires_at: AT, last_used_at: null };
const SESSION: Session = { id: "s", created_at: AT, last_used_at: AT, expires_at: AT, address: "192.0.2.1", user_agent: MARKUP, current: false };
export const WEBHOOK: Webhook = { id: 3, url: "https://hooks.example.com/1", description: MARKUP, events: ["users.*"], enabled: true, created_at: AT, updated_at: AT };
export const DELIVERY: Delivery = { id: "d1", webhook_id: 3, kind: "users.create", state: "dead", attempts: 8, next_attempt_at: AT, last_status: 500, last_error: MARKUP, duration_ms: 12.3, created_at: AT, finished_at: AT };
export const JOB: Job = { id: "j1", kind: "users.import", state: "failed", arguments: {}, progress: { done: 2, total: 8 }, result: null, error: MARKUP, attempts: 1, cancel_requested: false, scheduled: false, created_by: 1, created_at: AT, started_at: AT, finished_at: AT, output: null };
const RULE: GuardRule = { id: "r1", prefix: "192.0.2.0/24", protocol: 0, ports: [], action: "deny", limit: null, expires_at: null, owner: "a", comment: MARKUP, count_only: false, created_at: AT, updated_at: AT };
const GUARD_NODE: GuardNode = { address: "192.0.2.1:50051", node: MARKUP, error: "", xdp_mode: "native", enforcing: true, reason: "", revision: 1, up_to_date: true, applied_at: AT, rules: 1, fail_safe_ports: [], counters: [], top_sources: [] };
const INGEST_NODE: IngestNode = { address: "192.0.2.1:50051", node: MARKUP, error: "", streams: [], queues: [], subscriptions: [] };

/** A backend with one of everything, markup in every text. */
export const BACKEND: Record<string, Handler> = {
  "GET /api/v1/status": () => ({ body: { ...STATUS, environment: MARKUP } }),
  "GET /api/v1/users": () => ({ body: { users: [USER], pagination } }),
  "GET /api/v1/users/2": () => ({ body: USER }),
  "GET /api/v1/api-keys": () => ({ body: { api_keys: [KEY] } }),
  "GET /api/v1/audit": () => ({ body: { events: [EVENT], next_cursor: null } }),
  "GET /api/v1/auth/totp": () => ({ body: { enabled: false, recovery_codes_left: 0 } }),
  "GET /api/v1/auth/sessions": () => ({ body: { sessions: [SESSION] } }),
  "GET /api/v1/guard/rules": () => ({ body: { rules: [RULE], pagination, revision: 1 } }),
  "GET /api/v1/guard/counters": () => ({ body: { state: "running", nodes: 1, counters: [] } }),
  "GET /api/v1/guard/status": () => ({ body: { state: "running", detail: "", revision: 1, nodes: [GUARD_NODE] } }),
  "GET /api/v1/guard/policy": () => ({ body: { default_action: "pass", source_limit: null, revision: 1 } }),
  "GET /api/v1/ingest/streams": () => ({ body: { state: "running", detail: "", nodes: [INGEST_NODE] } }),
  "GET /api/v1/webhooks": () => ({ body: { webhooks: [WEBHOOK] } }),
  "GET /api/v1/webhooks/deliveries": () => ({ body: { deliveries: [DELIVERY], pagination } }),
  "GET /api/v1/jobs": () => ({ body: { jobs: [JOB], pagination, kinds: ["users.import"] } }),
};
