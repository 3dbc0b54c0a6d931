import { ROLES, type Role } from "@/api/types";
import { pageOf } from "@/lib/page-of";

export const SORTABLE = ["email", "full_name", "role", "created_at"] as const;
export type SortColumn = (typeof SORTABLE)[number];
export type Sort = SortColumn | `-${SortColumn}`;

export const PER_PAGE = 20;
const MAX_SEARCH = 100;

/** State of the users table as the URL holds it; what is absent has its default. */
export interface UsersSearch {
  page?: number;
  search?: string;
  role?: Role;
  /** Whether the account may sign in. */
  active?: boolean;
  /** A column, with `-` before it for descending. */
  sort?: Sort;
}

/** Read the URL's parameters; what is wrong falls back to the default. */
export function parseUsersSearch(raw: Record<string, unknown>): UsersSearch {
  const search = typeof raw.search === "string" || typeof raw.search === "number" ? String(raw.search) : "";
  return {
    page: pageOf(raw),
    search: search.slice(0, MAX_SEARCH) || undefined,
    role: ROLES.find((role) => role === raw.role),
    active: typeof raw.active === "boolean" ? raw.active : undefined,
    sort: isSort(raw.sort) ? raw.sort : undefined,
  };
}

export function isSort(value: unknown): value is Sort {
  return typeof value === "string" && SORTABLE.includes(value.replace(/^-/, "") as SortColumn);
}
