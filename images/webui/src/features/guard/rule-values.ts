import type { GuardRule, GuardRuleCreate } from "@/api/types";
import { msg } from "@/i18n";
import { portsText } from "./values";

/** Protocols that have ports: TCP and UDP. */
export const WITH_PORTS: readonly number[] = [6, 17];
/** Lifetimes to choose from, in seconds. */
export const LIFETIMES = { 3_600: msg("One hour"), 86_400: msg("One day"), 604_800: msg("One week") };

export interface RuleFormValues {
  prefix: string;
  action: GuardRule["action"];
  protocol: number;
  ports: string;
  /** Packets per second. */
  rate: string;
  /** Seconds from now; empty: no change, or no end. */
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

export function requestOf(form: RuleFormValues, prefix: string, ports: GuardRule["ports"]): GuardRuleCreate {
  const { action, protocol, count_only } = form;
  return {
    prefix,
    action,
    protocol,
    ports: WITH_PORTS.includes(protocol) ? ports : [],
    limit: action === "rate" ? { packets_per_second: Number(form.rate) } : null,
    ...(form.lifetime ? { ttl_seconds: Number(form.lifetime) } : {}),
    comment: form.comment.trim(),
    count_only,
  };
}
