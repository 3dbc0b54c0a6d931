import { useQuery } from "@tanstack/react-query";
import { KeyRound, Pencil, Plus, Send, Trash2, Webhook as WebhookIcon, type LucideIcon } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Webhook } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { DataTable, type Column } from "@/components/ui/data-table";
import { EmptyState, ErrorBanner, ErrorState } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useTestWebhook, webhooksQuery } from "./api";
import { CreateWebhookDialog, DeleteWebhookDialog, EditWebhookDialog, ReplaceSecretDialog } from "./webhook-dialogs";

type Kind = "edit" | "delete" | "secret";
type OpenDialog = { kind: "create" } | { kind: Kind; webhook: Webhook } | null;

export function WebhooksTab() {
  const { t } = useTranslation();
  const webhooks = useQuery(webhooksQuery);
  const test = useTestWebhook();
  const columns = useColumns();
  const [dialog, setDialog] = useState<OpenDialog>(null);
  const close = () => setDialog(null);
  const create = (
    <Button variant="primary" onClick={() => setDialog({ kind: "create" })}>
      <Plus aria-hidden /> {t("New webhook")}
    </Button>
  );
  return (
    <>
      <div className="mb-4 flex justify-end">{create}</div>
      {test.error && (
        <div className="mb-4">
          <ErrorBanner error={test.error} />
        </div>
      )}
      <Card className="overflow-hidden">
        {webhooks.error ? (
          <ErrorState error={webhooks.error} onRetry={() => void webhooks.refetch()} />
        ) : (
          <DataTable
            caption={t("Webhooks")}
            columns={columns}
            rows={webhooks.data?.webhooks}
            rowId={({ id }) => String(id)}
            empty={
              <EmptyState icon={WebhookIcon} title={t("No webhooks yet")}>
                {t("A webhook is an address that is called when something happens.")}
              </EmptyState>
            }
            actions={(webhook) => (
              <RowActions
                webhook={webhook}
                onOpen={(kind) => setDialog({ kind, webhook })}
                onTest={() => test.mutate(webhook.id, { onSuccess: () => toast(t("A test is on its way to {{url}}.", { url: webhook.url })) })}
              />
            )}
          />
        )}
      </Card>
      {dialog?.kind === "create" && <CreateWebhookDialog onClose={close} />}
      {dialog?.kind === "edit" && <EditWebhookDialog webhook={dialog.webhook} onClose={close} />}
      {dialog?.kind === "delete" && <DeleteWebhookDialog webhook={dialog.webhook} onClose={close} />}
      {dialog?.kind === "secret" && <ReplaceSecretDialog webhook={dialog.webhook} onClose={close} />}
    </>
  );
}

function useColumns(): Column<Webhook>[] {
  const { t } = useTranslation();
  return [
    {
      id: "url",
      header: t("Address"),
      cell: (webhook) => (
        <>
          <span className="wrap-anywhere">{webhook.url}</span>
          {webhook.description && <p className="text-xs wrap-anywhere text-muted">{webhook.description}</p>}
        </>
      ),
    },
    { id: "events", header: t("Events"), className: "hidden md:table-cell wrap-anywhere", cell: ({ events }) => <code>{events.join(", ")}</code> },
    {
      id: "enabled",
      header: t("State"),
      className: "hidden sm:table-cell",
      cell: ({ enabled }) => (
        <Badge tone={enabled ? "good" : "idle"} dot>
          {enabled ? t("Active") : t("Disabled")}
        </Badge>
      ),
    },
  ];
}

interface RowActionsProps {
  webhook: Webhook;
  onOpen: (kind: Kind) => void;
  onTest: () => void;
}

function RowActions({ webhook: { url }, onOpen, onTest }: RowActionsProps) {
  const { t } = useTranslation();
  const actions: [LucideIcon, string, () => void][] = [
    [Send, t("Send a test to {{url}}", { url }), onTest],
    [Pencil, t("Edit the webhook {{url}}", { url }), () => onOpen("edit")],
    [KeyRound, t("Replace the secret of {{url}}", { url }), () => onOpen("secret")],
    [Trash2, t("Delete the webhook {{url}}", { url }), () => onOpen("delete")],
  ];
  return actions.map(([Icon, label, onClick]) => (
    <Button key={label} variant="ghost" size="icon" aria-label={label} title={label} onClick={onClick}>
      <Icon aria-hidden />
    </Button>
  ));
}
