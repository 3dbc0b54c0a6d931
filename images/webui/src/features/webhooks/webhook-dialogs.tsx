import { useState, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/problem";
import type { Webhook, WebhookCreate } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { CheckField, TextField } from "@/components/ui/field";
import { SecretNote } from "@/components/ui/secret-note";
import { ErrorBanner } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useCreateWebhook, useDeleteWebhook, useReplaceSecret, useUpdateWebhook } from "./api";

interface DialogProps {
  webhook: Webhook;
  onClose: () => void;
}

export function CreateWebhookDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const create = useCreateWebhook();
  if (create.data) return <SecretDialog title={t("New webhook")} secret={create.data.secret} onClose={onClose} />;
  return (
    <Dialog title={t("New webhook")} onClose={onClose}>
      <WebhookForm
        submitLabel={t("Create webhook")}
        pending={create.isPending}
        error={create.error}
        onSubmit={(body) => create.mutate(body)}
        onCancel={onClose}
      />
    </Dialog>
  );
}

export function EditWebhookDialog({ webhook, onClose }: DialogProps) {
  const { t } = useTranslation();
  const update = useUpdateWebhook(webhook);
  const done = () => {
    toast(t("The changes are saved."));
    onClose();
  };
  return (
    <Dialog title={t("Edit webhook")} onClose={onClose}>
      <WebhookForm
        webhook={webhook}
        submitLabel={t("Save changes")}
        pending={update.isPending}
        error={update.error}
        onSubmit={(body) => update.mutate(body, { onSuccess: done })}
        onCancel={onClose}
      />
    </Dialog>
  );
}

export function ReplaceSecretDialog({ webhook, onClose }: DialogProps) {
  const { t } = useTranslation();
  const replace = useReplaceSecret();
  if (replace.data) return <SecretDialog title={t("Replace secret")} secret={replace.data.secret} onClose={onClose} />;
  return (
    <Dialog title={t("Replace secret")} description={webhook.url} onClose={onClose}>
      {replace.error && <ErrorBanner error={replace.error} />}
      <p>{t("Signatures with the old secret end at once.")}</p>
      <DialogActions>
        <Button onClick={onClose}>{t("Cancel")}</Button>
        <Button variant="danger" disabled={replace.isPending} onClick={() => replace.mutate(webhook.id)}>
          {t("Replace secret")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

export function DeleteWebhookDialog({ webhook, onClose }: DialogProps) {
  const { t } = useTranslation();
  const remove = useDeleteWebhook();
  return (
    <Dialog title={t("Delete webhook")} description={webhook.url} onClose={onClose}>
      {remove.error && <ErrorBanner error={remove.error} />}
      <p>{t("Its deliveries are deleted with it.")}</p>
      <DialogActions>
        <Button onClick={onClose}>{t("Cancel")}</Button>
        <Button variant="danger" disabled={remove.isPending} onClick={() => remove.mutate(webhook.id, { onSuccess: onClose })}>
          {t("Delete webhook")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

function SecretDialog({ title, secret, onClose }: { title: string; secret: string; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Dialog title={title} onClose={onClose}>
      <SecretNote secret={secret}>{t("The receiver checks signatures with this secret. It is shown this once.")}</SecretNote>
      <DialogActions>
        <Button variant="primary" onClick={onClose}>
          {t("Done")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

interface WebhookFormProps {
  webhook?: Webhook;
  submitLabel: string;
  pending: boolean;
  error: Error | null;
  onSubmit: (body: WebhookCreate) => void;
  onCancel: () => void;
}

function WebhookForm({ webhook, submitLabel, pending, error, onSubmit, onCancel }: WebhookFormProps) {
  const { t } = useTranslation();
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [events, setEvents] = useState(webhook?.events.join(", ") ?? "*");
  const [description, setDescription] = useState(webhook?.description ?? "");
  const [enabled, setEnabled] = useState(webhook?.enabled ?? true);
  const fields = error instanceof ApiError ? error.fields : {};
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    const patterns = events.split(/[\s,]+/).filter(Boolean);
    onSubmit({ url: url.trim(), events: patterns, description: description.trim(), enabled });
  };
  return (
    <form onSubmit={submit} className="space-y-4">
      {error && Object.keys(fields).length === 0 && <ErrorBanner error={error} />}
      <TextField
        label={t("Address")}
        type="url"
        required
        placeholder="https://example.com/hook"
        value={url}
        error={fields.url}
        onChange={(event) => setUrl(event.target.value)}
      />
      <TextField
        label={t("Events")}
        required
        hint={t("Patterns such as *, users.* or guard.create_rule, with commas between them.")}
        value={events}
        error={fields.events ?? fields["0"]}
        onChange={(event) => setEvents(event.target.value)}
      />
      <TextField label={t("Description")} maxLength={200} value={description} error={fields.description} onChange={(event) => setDescription(event.target.value)} />
      <CheckField label={t("Active")} checked={enabled} onChange={(event) => setEnabled(event.target.checked)} />
      <DialogActions>
        <Button onClick={onCancel}>{t("Cancel")}</Button>
        <Button type="submit" variant="primary" disabled={pending}>
          {submitLabel}
        </Button>
      </DialogActions>
    </form>
  );
}
