import { useState, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/problem";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SelectField, TextAreaField } from "@/components/ui/field";
import { ErrorBanner } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useStartJob } from "./api";

const IMPORT = "users.import";

export function StartJobDialog({ kinds, onClose }: { kinds: readonly string[]; onClose: () => void }) {
  const { t } = useTranslation();
  const start = useStartJob();
  const [kind, setKind] = useState(kinds[0] ?? "");
  const [csv, setCsv] = useState("");
  const fields = start.error instanceof ApiError ? start.error.fields : {};
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    const done = () => {
      toast(t("The job {{kind}} is queued.", { kind }));
      onClose();
    };
    start.mutate({ kind, arguments: kind === IMPORT ? { csv } : {} }, { onSuccess: done });
  };
  return (
    <Dialog title={t("Start a job")} onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        {start.error && !fields.csv && <ErrorBanner error={start.error} />}
        <SelectField label={t("Kind")} value={kind} onChange={(event) => setKind(event.target.value)}>
          {kinds.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </SelectField>
        {kind === IMPORT && (
          <TextAreaField
            label={t("Users as CSV")}
            required
            rows={6}
            spellCheck={false}
            placeholder={"email,full_name,role\nann@example.com,Ann,viewer"}
            hint={t("The first line names the columns: email, full_name, role.")}
            error={fields.csv}
            value={csv}
            onChange={(event) => setCsv(event.target.value)}
          />
        )}
        <DialogActions>
          <Button onClick={onClose}>{t("Cancel")}</Button>
          <Button type="submit" variant="primary" disabled={start.isPending}>
            {t("Start")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
