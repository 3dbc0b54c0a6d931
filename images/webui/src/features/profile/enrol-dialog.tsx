import { QRCodeSVG } from "qrcode.react";
import { useState, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { SecretNote } from "@/components/ui/secret-note";
import { ErrorBanner } from "@/components/ui/states";
import { useConfirmEnrolment, useEnrol } from "./api";
import { RecoveryCodes } from "./recovery-codes";

/** Turns the second factor on: the password, then a code of the new secret, then the recovery codes. */
export function EnrolDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const enrol = useEnrol();
  const confirm = useConfirmEnrolment();
  const secret = enrol.data;
  return (
    <Dialog title={t("Turn on the second factor")} onClose={onClose}>
      {!secret && (
        <OneField
          label={t("Current password")}
          type="password"
          autoComplete="current-password"
          submitLabel={t("Continue")}
          pending={enrol.isPending}
          error={enrol.error}
          onSubmit={(password) => enrol.mutate(password)}
          onCancel={onClose}
        />
      )}
      {secret && !confirm.data && (
        <div className="space-y-5">
          <QrCode uri={secret.provisioning_uri} />
          <SecretNote secret={secret.secret}>{t("Scan the code with an authenticator app, or type this key into it.")}</SecretNote>
          <OneField
            label={t("Code of the app")}
            inputMode="numeric"
            autoComplete="one-time-code"
            submitLabel={t("Confirm")}
            pending={confirm.isPending}
            error={confirm.error}
            onSubmit={(code) => confirm.mutate(code.replaceAll(" ", ""))}
            onCancel={onClose}
          />
        </div>
      )}
      {confirm.data && <RecoveryCodes codes={confirm.data.recovery_codes} onClose={onClose} />}
    </Dialog>
  );
}

/** Dark on white in every theme: some cameras do not read inverted codes. */
function QrCode({ uri }: { uri: string }) {
  const { t } = useTranslation();
  return (
    <QRCodeSVG
      value={uri}
      size={192}
      marginSize={4}
      bgColor="#ffffff"
      fgColor="#000000"
      title={t("QR code for the authenticator app")}
      className="mx-auto rounded-lg"
    />
  );
}

interface OneFieldProps {
  label: string;
  type?: "text" | "password";
  inputMode?: "numeric";
  autoComplete: string;
  submitLabel: string;
  pending: boolean;
  error: Error | null;
  onSubmit: (value: string) => void;
  onCancel: () => void;
}

function OneField({ submitLabel, pending, error, onSubmit, onCancel, ...field }: OneFieldProps) {
  const { t } = useTranslation();
  const [value, setValue] = useState("");
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    onSubmit(value);
  };
  return (
    <form onSubmit={submit} className="space-y-4">
      {error && <ErrorBanner error={error} />}
      <TextField {...field} required value={value} onChange={(event) => setValue(event.target.value)} />
      <DialogActions>
        <Button onClick={onCancel}>{t("Cancel")}</Button>
        <Button type="submit" variant="primary" disabled={pending}>
          {submitLabel}
        </Button>
      </DialogActions>
    </form>
  );
}
