import { Fragment, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { AuditEvent } from "@/api/types";
import { Button } from "@/components/ui/button";
import { DataTable, type Column } from "@/components/ui/data-table";
import { formatPrecise } from "@/lib/format";

export interface EventTableProps {
  rows: readonly AuditEvent[] | undefined;
  open: string | undefined;
  onOpen: (id: string | undefined) => void;
  empty: ReactNode;
}

/** Events of the audit log; the details of one open below it. */
export function EventTable({ rows, open, onOpen, empty }: EventTableProps) {
  const { t } = useTranslation();
  const columns: Column<AuditEvent>[] = [
    { id: "occurred_at", header: t("Time"), cell: (event) => <span className="sm:whitespace-nowrap">{formatPrecise(event.occurred_at)}</span> },
    { id: "actor", header: t("Actor"), className: "min-w-32 wrap-anywhere", cell: (event) => event.actor },
    { id: "action", header: t("Action"), cell: (event) => <code>{event.action}</code> },
    {
      id: "target",
      header: t("Target"),
      className: "hidden md:table-cell wrap-anywhere",
      cell: ({ target_type, target_id }) => `${target_type} ${target_id}`.trim() || "–",
    },
    { id: "address", header: t("From"), className: "hidden lg:table-cell", cell: (event) => event.address || "–" },
  ];
  return (
    <DataTable
      caption={t("Audit log")}
      columns={columns}
      rows={rows}
      rowId={({ id }) => id}
      empty={empty}
      actions={(event) => (
        <Button aria-expanded={open === event.id} onClick={() => onOpen(open === event.id ? undefined : event.id)}>
          {t("Details")}
        </Button>
      )}
      detail={(event) => (open === event.id ? <Details event={event} /> : null)}
    />
  );
}

function Details({ event }: { event: AuditEvent }) {
  const { t } = useTranslation();
  const facts: [string, string][] = [
    [t("Request id"), event.request_id],
    [t("Credential"), event.credential],
    [t("From"), event.address],
    ...Object.entries(event.details).map(([key, value]): [string, string] => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  ];
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1.5 text-xs">
      {facts.map(([term, value]) => (
        <Fragment key={term}>
          <dt className="text-muted">{term}</dt>
          <dd className="wrap-anywhere select-all">{value || "–"}</dd>
        </Fragment>
      ))}
    </dl>
  );
}
