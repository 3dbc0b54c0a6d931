import type { GuardRule, GuardRuleCreate } from "@/api/types";
import { msg } from "@/i18n";
import { portsText } from "./values";

/** Protocols that have ports: TCP and UDP. */
export const WITH_PORTS: readonly number[] = [6, 17];
/** Lifetimes to choose from, in seconds. */
export const LIFETIMES = { 3_600: msg("One hour"), 86_400: msg("One day"), 604_800: msg("One week") };

export const NEVER = "never";

export interface RuleFormValues {
  prefix: string;
  action: GuardRule["action"];
  protocol: number;
  ports: string;
  /** Packets per second. */
  rate: string;
  /** Seconds from now, or `NEVER`; empty: no change. */
  lifetime: string;
  comment: string;
  count_only: boolean;
}

export const emptyForm: RuleFormValues = {
  prefix: "",
  action: "deny",
  protocol: 0,
  ports: "",
  rate: "1000",
  lifetime: "",
  comment: "",
  count_only: false,
};

export function formOf(rule: GuardRule): RuleFormValues {
  const { prefix, action, protocol, comment, count_only } = rule;
  const rate = String(rule.limit?.packets_per_second ?? emptyForm.rate);
  return { prefix, action, protocol, ports: portsText(rule.ports), rate, lifetime: "", comment, count_only };
}

/** @param limit - what the rule has: limits that the form does not show stay. */
export function requestOf(form: RuleFormValues, prefix: string, ports: GuardRule["ports"], limit?: GuardRule["limit"]): GuardRuleCreate {
  const { action, protocol, count_only } = form;
  return {
    prefix,
    action,
    protocol,
    ports: WITH_PORTS.includes(protocol) ? ports : [],
    limit: action === "rate" ? { ...limit, packets_per_second: Number(form.rate) } : null,
    ...lifetimeOf(form.lifetime),
    comment: form.comment.trim(),
    count_only,
  };
}

function lifetimeOf(lifetime: string): Pick<GuardRuleCreate, "ttl_seconds" | "expires_at"> {
  if (lifetime === NEVER) return { expires_at: null };
  return lifetime ? { ttl_seconds: Number(lifetime) } : {};
}

/** Only what differs is sent, so that two people may change different things. */
export function changesOf(body: GuardRuleCreate, rule: GuardRule): Partial<GuardRuleCreate> {
  const old: Partial<Record<string, unknown>> = requestOf(formOf(rule), rule.prefix, rule.ports, rule.limit);
  return Object.fromEntries(Object.entries(body).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(old[name])));
}
