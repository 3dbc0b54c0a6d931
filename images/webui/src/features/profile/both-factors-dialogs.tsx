import { useState, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import type { BothFactors } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { ErrorBanner } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useDisableTotp, useNewRecoveryCodes } from "./api";
import { RecoveryCodes } from "./recovery-codes";

export function RecoveryCodesDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const renew = useNewRecoveryCodes();
  return (
    <Dialog title={t("New recovery codes")} description={t("The present ones end at once.")} onClose={onClose}>
      {renew.data ? (
        <RecoveryCodes codes={renew.data.recovery_codes} onClose={onClose} />
      ) : (
        <BothFactorsForm
          submitLabel={t("Make new codes")}
          pending={renew.isPending}
          error={renew.error}
          onSubmit={(body) => renew.mutate(body)}
          onCancel={onClose}
        />
      )}
    </Dialog>
  );
}

export function DisableDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const disable = useDisableTotp();
  const done = () => {
    toast(t("The second factor is off."));
    onClose();
  };
  return (
    <Dialog title={t("Turn off the second factor")} description={t("The password alone will sign you in.")} onClose={onClose}>
      <BothFactorsForm
        submitLabel={t("Turn off")}
        pending={disable.isPending}
        error={disable.error}
        onSubmit={(body) => disable.mutate(body, { onSuccess: done })}
        onCancel={onClose}
      />
    </Dialog>
  );
}

interface BothFactorsFormProps {
  submitLabel: string;
  pending: boolean;
  error: Error | null;
  onSubmit: (body: BothFactors) => void;
  onCancel: () => void;
}

function BothFactorsForm({ submitLabel, pending, error, onSubmit, onCancel }: BothFactorsFormProps) {
  const { t } = useTranslation();
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    onSubmit({ password, code: code.replaceAll(" ", "") });
  };
  return (
    <form onSubmit={submit} className="space-y-4">
      {error && <ErrorBanner error={error} />}
      <TextField
        label={t("Current password")}
        type="password"
        autoComplete="current-password"
        required
        value={password}
        onChange={(event) => setPassword(event.target.value)}
      />
      <TextField
        label={t("Code of your authenticator, or a recovery code")}
        autoComplete="one-time-code"
        required
        value={code}
        onChange={(event) => setCode(event.target.value)}
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
