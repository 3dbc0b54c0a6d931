import type { components } from "./schema";

type Schemas = components["schemas"];

export type User = Schemas["User"];
/** What the session tells of the signed-in user. */
export type SessionUser = Pick<User, "id" | "email" | "full_name" | "role" | "must_change_password">;
export type Role = User["role"];
export type UserCreate = Schemas["UserCreate"];
export type UserList = Schemas["UserList"];
export type UserUpdate = Schemas["UserUpdate"];
export type PlatformStatus = Schemas["Status"];
export type ComponentStatus = Schemas["Component"];
export type PermissionDocument = Schemas["Permissions"];
export type AuditEvent = Schemas["AuditEvent"];
export type FastPathNode = Schemas["Node"];
export type Traffic = Schemas["Traffic"];

export const ROLES: readonly Role[] = ["admin", "maintainer", "viewer"];
export type Job = Schemas["Job"];
export type Webhook = Schemas["Webhook"];
export type WebhookCreate = Schemas["WebhookCreate"];
export type Delivery = Schemas["Delivery"];
export type GuardRule = Schemas["Rule"];
export type GuardRuleCreate = Schemas["RuleCreate"];
export type GuardPolicy = Schemas["Policy"];
export type GuardNode = Schemas["GuardNode"];
export type Pagination = Schemas["Pagination"];
export type Session = Schemas["Session"];
export type ApiKey = Schemas["ApiKey"];
export type ApiKeyCreate = Schemas["ApiKeyCreate"];
export type BothFactors = Schemas["BothFactors"];
export type IngestStreams = Schemas["IngestStreams"];
export type IngestNode = Schemas["IngestNode"];
export type IngestStream = Schemas["IngestStream"];
export type IngestQueue = Schemas["IngestQueue"];
export type IngestSubscription = Schemas["IngestSubscription"];
