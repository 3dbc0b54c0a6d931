import type { components } from "./schema";

export type User = components["schemas"]["User"];
export type Role = User["role"];
export const ROLES: readonly Role[] = ["admin", "maintainer", "viewer"];

export interface UserPage {
  users: User[];
  pagination: { page: number; per_page: number; total: number; pages: number };
}

export interface UserInput {
  email: string;
  full_name: string;
  role: Role;
  password?: string;
  is_active?: boolean;
}

export type ComponentState = "healthy" | "unavailable" | "not_installed";

export interface ComponentStatus {
  name: string;
  status: ComponentState;
  detail: string;
  latency_ms: number | null;
}

export interface FastPathNode {
  node: string;
  version: string;
  kernel: string;
  xdp_mode: string;
  interface: string;
  reason: string;
  numa_nodes: { id: number; cpus: string; memory_bytes: number }[];
  hugepages: { size_bytes: number; total: number; free: number }[];
  counters: { protocol: string; packets: number; bytes: number }[];
}

export interface PlatformStatus {
  version: string;
  environment: string;
  database_engine: string;
  schema_version: number;
  components: ComponentStatus[];
  fast_path: { state: "running" | "unavailable" | "not_installed"; nodes: FastPathNode[] };
}
