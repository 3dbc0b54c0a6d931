import { useQuery } from "@tanstack/react-query";
import { KeyRound, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { ApiKey } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { DataTable, type Column } from "@/components/ui/data-table";
import { EmptyState, ErrorState } from "@/components/ui/states";
import { formatTime } from "@/lib/format";
import { apiKeysQuery } from "./api";
import { CreateKeyDialog, RevokeKeyDialog } from "./api-key-dialogs";

type OpenDialog = { kind: "create" } | { kind: "revoke"; apiKey: ApiKey } | null;

/** One's own API keys, or those of another user: keys are made by their owner alone, and revoked by admins as well. */
export function ApiKeys({ owner }: { owner?: number }) {
  const { t } = useTranslation();
  const keys = useQuery(apiKeysQuery(owner));
  const columns = useColumns();
  const [dialog, setDialog] = useState<OpenDialog>(null);
  const close = () => setDialog(null);
  return (
    <>
      {owner === undefined && (
        <div className="mb-4 flex justify-end">
          <Button variant="primary" onClick={() => setDialog({ kind: "create" })}>
            <Plus aria-hidden /> {t("New API key")}
          </Button>
        </div>
      )}
      <Card className="overflow-hidden">
        {keys.error ? (
          <ErrorState error={keys.error} onRetry={() => void keys.refetch()} />
        ) : (
          <DataTable
            caption={t("API keys")}
            columns={columns}
            rows={keys.data?.api_keys}
            rowId={({ id }) => String(id)}
            empty={
              <EmptyState icon={KeyRound} title={t("No API keys yet")}>
                {owner === undefined ? t("A key lets a program use the API in your name.") : t("The user has made none.")}
              </EmptyState>
            }
            actions={(apiKey) => <RevokeButton name={apiKey.name} onClick={() => setDialog({ kind: "revoke", apiKey })} />}
          />
        )}
      </Card>
      {dialog?.kind === "create" && <CreateKeyDialog onClose={close} />}
      {dialog?.kind === "revoke" && <RevokeKeyDialog apiKey={dialog.apiKey} onClose={close} />}
    </>
  );
}

function useColumns(): Column<ApiKey>[] {
  const { t } = useTranslation();
  return [
    {
      id: "name",
      header: t("Name"),
      className: "w-full md:w-auto",
      cell: ({ name, prefix }) => (
        <>
          <span className="font-medium wrap-anywhere">{name}</span>
          <p className="text-xs text-muted">
            <code>{prefix}…</code>
          </p>
        </>
      ),
    },
    { id: "role", header: t("Role"), cell: ({ role }) => <Badge tone={role === "admin" ? "gold" : "idle"}>{role}</Badge> },
    {
      id: "last_used_at",
      header: t("Last used"),
      className: "hidden md:table-cell",
      cell: ({ last_used_at }) => (last_used_at ? formatTime(last_used_at) : t("never")),
    },
    { id: "expires_at", header: t("Expires"), className: "hidden sm:table-cell", cell: ({ expires_at }) => formatTime(expires_at) },
  ];
}

function RevokeButton({ name, onClick }: { name: string; onClick: () => void }) {
  const { t } = useTranslation();
  const label = t("Revoke the key {{name}}", { name });
  return (
    <Button variant="ghost" size="icon" className="enabled:hover:text-bad" aria-label={label} title={label} onClick={onClick}>
      <Trash2 aria-hidden />
    </Button>
  );
}
