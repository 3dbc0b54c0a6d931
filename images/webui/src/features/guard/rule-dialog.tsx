import { useTranslation } from "react-i18next";
import type { GuardRule, GuardRuleCreate } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { ErrorBanner } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useCreateRule, useDeleteRule, useUpdateRule } from "./api";
import { RuleForm } from "./rule-form";
import { changesOf } from "./rule-values";

export function CreateRuleDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const create = useCreateRule();
  const done = (rule: GuardRule) => {
    toast(t("The rule for {{prefix}} is kept.", { prefix: rule.prefix }));
    onClose();
  };
  return (
    <Dialog title={t("New rule")} onClose={onClose}>
      <RuleForm
        submitLabel={t("Create rule")}
        pending={create.isPending}
        error={create.error}
        onSubmit={(body) => create.mutate(body, { onSuccess: done })}
        onCancel={onClose}
      />
    </Dialog>
  );
}

export function EditRuleDialog({ rule, onClose }: { rule: GuardRule; onClose: () => void }) {
  const { t } = useTranslation();
  const update = useUpdateRule(rule);
  const done = () => {
    toast(t("The changes are saved."));
    onClose();
  };
  const submit = (body: GuardRuleCreate) => update.mutate(changesOf(body, rule), { onSuccess: done });
  return (
    <Dialog title={t("Edit rule")} description={rule.prefix} onClose={onClose}>
      <RuleForm
        rule={rule}
        submitLabel={t("Save changes")}
        pending={update.isPending}
        error={update.error}
        onSubmit={submit}
        onCancel={onClose}
      />
    </Dialog>
  );
}

export function DeleteRuleDialog({ rule, onClose }: { rule: GuardRule; onClose: () => void }) {
  const { t } = useTranslation();
  const remove = useDeleteRule(rule);
  const done = () => {
    toast(t("The rule for {{prefix}} is deleted.", { prefix: rule.prefix }));
    onClose();
  };
  return (
    <Dialog title={t("Delete rule")} description={rule.prefix} onClose={onClose}>
      {remove.error ? <ErrorBanner error={remove.error} /> : <p>{t("The nodes forget the rule within seconds.")}</p>}
      <DialogActions>
        <Button onClick={onClose}>{t("Cancel")}</Button>
        <Button variant="danger" disabled={remove.isPending} onClick={() => remove.mutate(undefined, { onSuccess: done })}>
          {t("Delete rule")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
