import { useQuery } from "@tanstack/react-query";
import { useState, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/problem";
import type { GuardPolicy } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { CheckField, SelectField, TextField } from "@/components/ui/field";
import { ErrorBanner, ErrorState, Skeleton } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useAccess } from "@/features/access/permissions";
import { policyQuery, useSetPolicy } from "./api";

/** What happens to traffic that no rule names. */
export default function PolicyTab() {
  const policy = useQuery(policyQuery);
  if (policy.error) return <ErrorState error={policy.error} onRetry={() => void policy.refetch()} />;
  if (!policy.data) return <Skeleton className="h-60 rounded-xl" />;
  return <PolicyForm key={policy.data.revision} policy={policy.data} />;
}

function PolicyForm({ policy }: { policy: GuardPolicy }) {
  const { t } = useTranslation();
  const mayWrite = useAccess().may("guard.set_policy");
  const save = useSetPolicy();
  const [action, setAction] = useState(policy.default_action);
  const [limited, setLimited] = useState(policy.source_limit !== null);
  const [rate, setRate] = useState(String(policy.source_limit?.packets_per_second ?? 10_000));
  const wrong = save.error instanceof ApiError ? save.error.fields.packets_per_second : undefined;
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    const source_limit = limited ? { ...policy.source_limit, packets_per_second: Number(rate) } : null;
    save.mutate({ default_action: action, source_limit }, { onSuccess: () => toast(t("The policy is saved.")) });
  };
  return (
    <Card className="max-w-xl p-6" aria-label={t("Policy")}>
      <form onSubmit={submit} className="space-y-4">
        {save.error && !wrong && <ErrorBanner error={save.error} />}
        <fieldset disabled={!mayWrite} className="space-y-4">
          <SelectField
            label={t("Traffic that no rule names")}
            value={action}
            hint={action === "drop" ? t("Ports that are always open stay open.") : undefined}
            onChange={(event) => setAction(event.target.value === "drop" ? "drop" : "pass")}
          >
            <option value="pass">{t("passes")}</option>
            <option value="drop">{t("is dropped")}</option>
          </SelectField>
          <CheckField label={t("Limit every source")} checked={limited} onChange={(event) => setLimited(event.target.checked)} />
          {limited && (
            <TextField
              label={t("Packets per second")}
              type="number"
              min={1}
              required
              value={rate}
              error={wrong}
              onChange={(event) => setRate(event.target.value)}
            />
          )}
        </fieldset>
        {mayWrite && (
          <Button type="submit" variant="primary" disabled={save.isPending}>
            {t("Save changes")}
          </Button>
        )}
      </form>
    </Card>
  );
}
