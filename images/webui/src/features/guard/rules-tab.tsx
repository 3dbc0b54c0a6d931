import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Pencil, Plus, ShieldHalf, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { GuardRule } from "@/api/types";
import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { DataTable, type Column } from "@/components/ui/data-table";
import { Pagination } from "@/components/ui/pagination";
import { SearchBox } from "@/components/ui/search-box";
import { Select } from "@/components/ui/select";
import { EmptyState, ErrorState } from "@/components/ui/states";
import { useAccess } from "@/features/access/permissions";
import { formatCount, formatTime } from "@/lib/format";
import { countersQuery, rulesQuery } from "./api";
import { CreateRuleDialog, DeleteRuleDialog, EditRuleDialog } from "./rule-dialog";
import { ACTIONS, type GuardSearch } from "./search";
import { portsText, protocolName } from "./values";

type OpenDialog = { kind: "create" } | { kind: "edit" | "delete"; rule: GuardRule } | null;

/** The rules, with the hits of each as they rise. */
export function RulesTab() {
  const { t } = useTranslation();
  const search = useSearch({ from: "/signed-in/guard" });
  const navigate = useNavigate({ from: "/guard" });
  const rules = useQuery(rulesQuery(search));
  const columns = useColumns();
  const mayWrite = useAccess().may("guard.create_rule");
  const [dialog, setDialog] = useState<OpenDialog>(null);
  const close = () => setDialog(null);
  const change = (next: Partial<GuardSearch>) =>
    void navigate({ search: (old) => ({ ...old, page: undefined, ...next }), replace: true });

  return (
    <>
      <div className="mb-4 flex flex-wrap items-center gap-3">
        <SearchBox
          label={t("Search rules")}
          placeholder={t("Search by prefix or comment")}
          value={search.search ?? ""}
          onChange={(text) => change({ search: text || undefined })}
        />
        <Select
          label={t("Action")}
          value={search.action ?? ""}
          onChange={(text) => change({ action: ACTIONS.find((action) => action === text) })}
        >
          <option value="">{t("Every action")}</option>
          {ACTIONS.map((action) => (
            <option key={action}>{action}</option>
          ))}
        </Select>
        {mayWrite && (
          <Button variant="primary" className="sm:ml-auto" onClick={() => setDialog({ kind: "create" })}>
            <Plus aria-hidden /> {t("New rule")}
          </Button>
        )}
      </div>
      <Card className="overflow-hidden">
        {rules.error ? (
          <ErrorState error={rules.error} onRetry={() => void rules.refetch()} />
        ) : (
          <DataTable
            caption={t("Rules")}
            columns={columns}
            rows={rules.data?.rules}
            stale={rules.isPlaceholderData}
            rowId={({ id }) => id}
            actions={mayWrite ? (rule) => <RowActions rule={rule} onOpen={(kind) => setDialog({ kind, rule })} /> : undefined}
            empty={
              <EmptyState icon={ShieldHalf} title={search.search || search.action ? t("No rule matches") : t("No rules yet")}>
                {t("Without rules everything follows the policy.")}
              </EmptyState>
            }
          />
        )}
        {rules.data && !rules.error && (
          <Pagination {...rules.data.pagination} onPage={(page) => change({ page: page === 1 ? undefined : page })} />
        )}
      </Card>
      {dialog?.kind === "create" && <CreateRuleDialog onClose={close} />}
      {dialog?.kind === "edit" && <EditRuleDialog rule={dialog.rule} onClose={close} />}
      {dialog?.kind === "delete" && <DeleteRuleDialog rule={dialog.rule} onClose={close} />}
    </>
  );
}

const TONES: Record<GuardRule["action"], Tone> = { allow: "good", deny: "bad", rate: "gold" };

function useColumns(): Column<GuardRule>[] {
  const { t } = useTranslation();
  const { data } = useQuery(countersQuery);
  const hits = new Map(data?.counters.map((counter) => [counter.rule_id, counter.packets]));
  return [
    {
      id: "prefix",
      header: t("Prefix"),
      cell: (rule) => (
        <>
          <code className="wrap-anywhere">{rule.prefix}</code>
          {rule.comment && <p className="text-xs wrap-anywhere text-muted">{rule.comment}</p>}
        </>
      ),
    },
    {
      id: "action",
      header: t("Action"),
      cell: (rule) => (
        <span className="flex flex-wrap gap-1.5">
          <Badge tone={TONES[rule.action]}>{rule.action}</Badge>
          {rule.count_only && <Badge tone="idle">{t("counts only")}</Badge>}
        </span>
      ),
    },
    {
      id: "traffic",
      header: t("Protocol"),
      className: "hidden md:table-cell",
      cell: (rule) => `${protocolName(rule.protocol)} ${portsText(rule.ports)}`.trim(),
    },
    {
      id: "expires_at",
      header: t("Ends"),
      className: "hidden lg:table-cell",
      cell: (rule) => (rule.expires_at ? formatTime(rule.expires_at) : t("never")),
    },
    {
      id: "hits",
      header: t("Packets"),
      className: "tabular-nums hidden sm:table-cell",
      cell: (rule) => formatHits(hits.get(rule.id)),
    },
  ];
}

const formatHits = (packets: number | undefined) => (packets === undefined ? "–" : formatCount(packets));

function RowActions({ rule: { prefix }, onOpen }: { rule: GuardRule; onOpen: (kind: "edit" | "delete") => void }) {
  const { t } = useTranslation();
  return (
    <>
      <Button variant="ghost" size="icon" aria-label={t("Edit the rule for {{prefix}}", { prefix })} onClick={() => onOpen("edit")}>
        <Pencil aria-hidden />
      </Button>
      <Button variant="ghost" size="icon" aria-label={t("Delete the rule for {{prefix}}", { prefix })} onClick={() => onOpen("delete")}>
        <Trash2 aria-hidden />
      </Button>
    </>
  );
}
