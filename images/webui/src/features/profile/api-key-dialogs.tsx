import { useState, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/problem";
import { ROLES, type ApiKey, type ApiKeyCreate, type Role } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { SecretNote } from "@/components/ui/secret-note";
import { ErrorBanner } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useUser } from "@/features/auth/session";
import { useCreateApiKey, useRevokeApiKey } from "./api";

const DEFAULT_DAYS = 90;
const MOST_DAYS = 365;

export function CreateKeyDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const create = useCreateApiKey();
  return (
    <Dialog title={t("New API key")} onClose={onClose}>
      {create.data ? (
        <>
          <SecretNote secret={create.data.key}>{t("Programs send this key as a bearer token. It is shown this once.")}</SecretNote>
          <DialogActions>
            <Button variant="primary" onClick={onClose}>
              {t("Done")}
            </Button>
          </DialogActions>
        </>
      ) : (
        <KeyForm pending={create.isPending} error={create.error} onSubmit={(body) => create.mutate(body)} onCancel={onClose} />
      )}
    </Dialog>
  );
}

interface KeyFormProps {
  pending: boolean;
  error: Error | null;
  onSubmit: (body: ApiKeyCreate) => void;
  onCancel: () => void;
}

function KeyForm({ pending, error, onSubmit, onCancel }: KeyFormProps) {
  const { t } = useTranslation();
  const own = useUser().role;
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [days, setDays] = useState(String(DEFAULT_DAYS));
  const fields = error instanceof ApiError ? error.fields : {};
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    onSubmit({ name: name.trim(), role, expires_in_days: Number(days) });
  };
  return (
    <form onSubmit={submit} className="space-y-4">
      {error && Object.keys(fields).length === 0 && <ErrorBanner error={error} />}
      <TextField label={t("Name")} required autoComplete="off" value={name} error={fields.name} onChange={(event) => setName(event.target.value)} />
      <SelectField label={t("Role")} value={role} error={fields.role} onChange={(event) => setRole(event.target.value as Role)}>
        {/* From the highest role down: a key has no more rights than its owner. */}
        {ROLES.slice(ROLES.indexOf(own)).map((id) => (
          <option key={id}>{id}</option>
        ))}
      </SelectField>
      <TextField
        label={t("Days until it expires")}
        type="number"
        required
        min={1}
        max={MOST_DAYS}
        value={days}
        error={fields.expires_in_days}
        onChange={(event) => setDays(event.target.value)}
      />
      <DialogActions>
        <Button onClick={onCancel}>{t("Cancel")}</Button>
        <Button type="submit" variant="primary" disabled={pending}>
          {t("Create key")}
        </Button>
      </DialogActions>
    </form>
  );
}

export function RevokeKeyDialog({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const { t } = useTranslation();
  const revoke = useRevokeApiKey();
  const done = () => {
    toast(t("The key {{name}} is revoked.", { name: apiKey.name }));
    onClose();
  };
  return (
    <Dialog title={t("Revoke API key")} description={apiKey.name} onClose={onClose}>
      {revoke.error && <ErrorBanner error={revoke.error} />}
      <p>{t("Programs that use it are refused at once.")}</p>
      <DialogActions>
        <Button onClick={onClose}>{t("Cancel")}</Button>
        <Button variant="danger" disabled={revoke.isPending} onClick={() => revoke.mutate(apiKey.id, { onSuccess: done })}>
          {t("Revoke API key")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
