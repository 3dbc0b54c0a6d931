import { infiniteQueryOptions, useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Download, ScrollText } from "lucide-react";
import { useState, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import { api, apiAddress, bodyOf } from "@/api/client";
import { Button } from "@/components/ui/button";
import { Card, PageHeader } from "@/components/ui/card";
import { SelectField, TextField } from "@/components/ui/field";
import { EmptyState, ErrorState } from "@/components/ui/states";
import { Guarded } from "@/features/access/guarded";
import { EventTable } from "./event-table";
import { auditFilter, PERIODS, type AuditSearch } from "./search";

export const AuditPage = () => (
  <Guarded operation="audit.list_events">
    <AuditLog />
  </Guarded>
);

const PAGE = 50;

export const auditQuery = (search: AuditSearch) => {
  const { actor, action, request_id, days } = search;
  return infiniteQueryOptions({
    queryKey: ["audit", { actor, action, request_id, days }],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam: cursor, signal }) => {
      const query = { ...auditFilter(search, Date.now()), limit: PAGE, cursor };
      return bodyOf(api.GET("/api/v1/audit", { params: { query }, signal }));
    },
    getNextPageParam: ({ next_cursor }) => next_cursor ?? undefined,
  });
};

function AuditLog() {
  const { t } = useTranslation();
  const search = useSearch({ from: "/signed-in/audit" });
  const navigate = useNavigate({ from: "/audit" });
  const events = useInfiniteQuery(auditQuery(search));
  const change = (next: Partial<AuditSearch>) => void navigate({ search: (old) => ({ ...old, ...next }), replace: true });
  const rows = events.data?.pages.flatMap((page) => page.events);
  return (
    <>
      <PageHeader title={t("Audit log")} actions={<ExportLink search={search} />}>
        {t("Who did what, when and from where. Nothing in it can be changed.")}
      </PageHeader>
      <Filters key={JSON.stringify([search.actor, search.action, search.request_id])} search={search} onChange={change} />
      <Card className="overflow-hidden">
        {events.error && !rows ? (
          <ErrorState error={events.error} onRetry={() => void events.refetch()} />
        ) : (
          <EventTable
            rows={rows}
            open={search.open}
            onOpen={(open) => change({ open })}
            empty={
              <EmptyState icon={ScrollText} title={t("No event matches")}>
                {t("Widen the filter or the period.")}
              </EmptyState>
            }
          />
        )}
        {events.hasNextPage && (
          <div className="border-t border-line p-3 text-center">
            <Button disabled={events.isFetchingNextPage} onClick={() => void events.fetchNextPage()}>
              {t("Older events")}
            </Button>
          </div>
        )}
      </Card>
    </>
  );
}

function ExportLink({ search }: { search: AuditSearch }) {
  const { t } = useTranslation();
  const href = () => {
    const filter = Object.entries(auditFilter(search, Date.now())).filter((pair): pair is [string, string] => pair[1] !== undefined);
    const query = new URLSearchParams(filter).toString();
    return apiAddress(`/api/v1/audit/export${query && `?${query}`}`);
  };
  return (
    <Button onClick={() => window.location.assign(href())}>
      <Download aria-hidden /> {t("Export as JSON Lines")}
    </Button>
  );
}

interface FiltersProps {
  search: AuditSearch;
  onChange: (next: Partial<AuditSearch>) => void;
}

function Filters({ search, onChange }: FiltersProps) {
  const { t } = useTranslation();
  const [draft, setDraft] = useState({ actor: search.actor ?? "", action: search.action ?? "", request_id: search.request_id ?? "" });
  const set = (change: Partial<typeof draft>) => setDraft((old) => ({ ...old, ...change }));
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    const given = Object.entries(draft).map(([key, value]) => [key, value.trim() || undefined]);
    onChange(Object.fromEntries(given) as Partial<AuditSearch>);
  };
  return (
    <form onSubmit={submit} role="search" className="mb-4 grid items-end gap-3 sm:grid-cols-2 lg:grid-cols-5">
      <TextField label={t("Actor")} placeholder={t("Email")} maxLength={254} value={draft.actor} onChange={(event) => set({ actor: event.target.value })} />
      <TextField label={t("Action")} placeholder="users.create" maxLength={60} value={draft.action} onChange={(event) => set({ action: event.target.value })} />
      <TextField label={t("Request id")} maxLength={64} value={draft.request_id} onChange={(event) => set({ request_id: event.target.value })} />
      <SelectField label={t("Period")} value={search.days ?? ""} onChange={(event) => onChange({ days: Number(event.target.value) || undefined })}>
        <option value="">{t("Everything")}</option>
        {PERIODS.map((days) => (
          <option key={days} value={days}>
            {t("Last {{days}} days", { days })}
          </option>
        ))}
      </SelectField>
      <Button type="submit" className="h-10">
        {t("Apply filter")}
      </Button>
    </form>
  );
}
