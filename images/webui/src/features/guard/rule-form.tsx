import { useState, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/problem";
import type { GuardRule, GuardRuleCreate } from "@/api/types";
import { Button } from "@/components/ui/button";
import { DialogActions } from "@/components/ui/dialog";
import { CheckField, SelectField, TextField } from "@/components/ui/field";
import { ErrorBanner } from "@/components/ui/states";
import { msg } from "@/i18n";
import { emptyForm, formOf, LIFETIMES, NEVER, requestOf, WITH_PORTS, type RuleFormValues } from "./rule-values";
import { ACTIONS } from "./search";
import { canonicalPrefix, parsePorts, PROTOCOLS } from "./values";

interface RuleFormProps {
  /** What the form starts with; a new rule without it. */
  rule?: GuardRule;
  submitLabel: string;
  pending: boolean;
  error: Error | null;
  onSubmit: (body: GuardRuleCreate) => void;
  onCancel: () => void;
}

const ACTION_NOTES: Record<GuardRule["action"], string> = {
  allow: msg("Always let in, whatever other rules say."),
  deny: msg("Dropped."),
  rate: msg("Let in up to a limit for each source."),
};
/** Fields of the form that a message of the backend can stand at. */
const FIELDS = ["prefix", "protocol", "ports", "action", "limit", "packets_per_second", "ttl_seconds", "expires_at", "comment"];

export function RuleForm({ rule, submitLabel, pending, error, onSubmit, onCancel }: RuleFormProps) {
  const { t } = useTranslation();
  const [form, setForm] = useState(() => (rule ? formOf(rule) : emptyForm));
  const [checked, setChecked] = useState(false);
  const set = (change: Partial<RuleFormValues>) => setForm((old) => ({ ...old, ...change }));
  const prefix = canonicalPrefix(form.prefix);
  const ports = parsePorts(form.ports);
  const fields = error instanceof ApiError ? error.fields : {};
  const wrongPrefix = checked && !prefix ? t("Enter an address or prefix, such as 192.0.2.0/24 or 2001:db8::/32.") : undefined;
  const wrongPorts = checked && !ports ? t("Enter ports such as 80, 8000-8080.") : undefined;
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    setChecked(true);
    if (prefix && ports) onSubmit(requestOf(form, prefix, ports, rule?.limit));
  };

  return (
    <form onSubmit={submit} noValidate className="space-y-4">
      {error && !FIELDS.some((name) => name in fields) && <ErrorBanner error={error} />}
      <TextField
        label={t("Prefix")}
        required
        maxLength={64}
        autoComplete="off"
        spellCheck={false}
        placeholder="192.0.2.0/24"
        hint={prefix && prefix !== form.prefix.trim() ? t("Kept as {{prefix}}.", { prefix }) : undefined}
        value={form.prefix}
        error={wrongPrefix ?? fields.prefix}
        onChange={(event) => set({ prefix: event.target.value })}
      />
      <SelectField
        label={t("Action")}
        value={form.action}
        hint={t(ACTION_NOTES[form.action])}
        error={fields.action}
        onChange={(event) => set({ action: event.target.value as GuardRule["action"] })}
      >
        {ACTIONS.map((action) => (
          <option key={action}>{action}</option>
        ))}
      </SelectField>
      {form.action === "rate" && (
        <TextField
          label={t("Packets per second")}
          type="number"
          min={1}
          required
          value={form.rate}
          error={fields.packets_per_second ?? fields.limit}
          onChange={(event) => set({ rate: event.target.value })}
        />
      )}
      <div className="grid grid-cols-2 gap-4">
        <SelectField
          label={t("Protocol")}
          value={form.protocol}
          error={fields.protocol}
          onChange={(event) => set({ protocol: Number(event.target.value) })}
        >
          {protocolsWith(form.protocol).map((number) => (
            <option key={number} value={number}>
              {PROTOCOLS[number] ?? number}
            </option>
          ))}
        </SelectField>
        <TextField
          label={t("Ports")}
          autoComplete="off"
          placeholder={t("all")}
          disabled={!WITH_PORTS.includes(form.protocol)}
          value={form.ports}
          error={wrongPorts ?? fields.ports}
          onChange={(event) => set({ ports: event.target.value })}
        />
      </div>
      <SelectField
        label={t("Ends")}
        value={form.lifetime}
        error={fields.ttl_seconds ?? fields.expires_at}
        onChange={(event) => set({ lifetime: event.target.value })}
      >
        <option value="">{rule?.expires_at ? t("as it is") : t("never")}</option>
        {rule?.expires_at && <option value={NEVER}>{t("never")}</option>}
        {Object.entries(LIFETIMES).map(([seconds, label]) => (
          <option key={seconds} value={seconds}>
            {t(label)}
          </option>
        ))}
      </SelectField>
      <TextField
        label={t("Comment")}
        maxLength={200}
        autoComplete="off"
        value={form.comment}
        error={fields.comment}
        onChange={(event) => set({ comment: event.target.value })}
      />
      <CheckField
        label={t("Count only: nothing is dropped, hits are counted")}
        checked={form.count_only}
        onChange={(event) => set({ count_only: event.target.checked })}
      />
      <DialogActions>
        <Button onClick={onCancel}>{t("Cancel")}</Button>
        <Button type="submit" variant="primary" disabled={pending}>
          {submitLabel}
        </Button>
      </DialogActions>
    </form>
  );
}

/** The named protocols, and the rule's own if it has no name. */
function protocolsWith(number: number): number[] {
  const named = Object.keys(PROTOCOLS).map(Number);
  return named.includes(number) ? named : [...named, number];
}
