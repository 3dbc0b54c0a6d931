import type { GuardRule } from "@/api/types";
import { pageOf } from "@/lib/page-of";

export const ACTIONS = ["allow", "deny", "rate"] as const satisfies readonly GuardRule["action"][];

/** State of the guard page as the URL holds it. */
export interface GuardSearch {
  tab?: string;
  page?: number;
  search?: string;
  action?: GuardRule["action"];
}

/** Read the URL's parameters; what is wrong falls back to the default. */
export function parseGuardSearch(raw: Record<string, unknown>): GuardSearch {
  const search = typeof raw.search === "string" || typeof raw.search === "number" ? String(raw.search) : "";
  return {
    tab: typeof raw.tab === "string" ? raw.tab : undefined,
    page: pageOf(raw),
    search: search.slice(0, 100) || undefined,
    action: ACTIONS.find((action) => action === raw.action),
  };
}
