/** Filters of the audit log as the URL holds them. */
export interface AuditSearch {
  actor?: string;
  action?: string;
  request_id?: string;
  /** Days back, counted from now. */
  days?: number;
  /** An event whose details are open. */
  open?: string;
}

export const PERIODS = [1, 7, 30] as const;
const LENGTHS = { actor: 254, action: 60, request_id: 64, open: 64 } as const;

/** Read the URL's parameters; what is wrong falls back to no filter. */
export function parseAuditSearch(raw: Record<string, unknown>): AuditSearch {
  const text = (key: keyof typeof LENGTHS) => {
    const value = raw[key];
    const words = typeof value === "string" || typeof value === "number" ? String(value).trim() : "";
    return words.slice(0, LENGTHS[key]) || undefined;
  };
  return {
    actor: text("actor"),
    action: text("action"),
    request_id: text("request_id"),
    days: PERIODS.find((days) => days === Number(raw.days)),
    open: text("open"),
  };
}

/** The query of the API for a set of filters; `now` in milliseconds. */
export function auditFilter({ actor, action, request_id, days }: AuditSearch, now: number) {
  const from = days === undefined ? undefined : new Date(now - days * 86_400_000).toISOString();
  return { actor, action, request_id, from };
}
