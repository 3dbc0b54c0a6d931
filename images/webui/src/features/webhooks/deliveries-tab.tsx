import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { MailX } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Delivery } from "@/api/types";
import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { DataTable, type Column } from "@/components/ui/data-table";
import { Pagination } from "@/components/ui/pagination";
import { Select } from "@/components/ui/select";
import { EmptyState, ErrorBanner, ErrorState } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { msg } from "@/i18n";
import { formatMilliseconds, formatPrecise } from "@/lib/format";
import { deliveriesQuery, useRedeliver } from "./api";
import { STATES } from "./search";

/** What was sent, how it went, and sending it again. */
export default function DeliveriesTab() {
  const { t } = useTranslation();
  const search = useSearch({ from: "/signed-in/integrations" });
  const navigate = useNavigate({ from: "/integrations" });
  const deliveries = useQuery(deliveriesQuery(search));
  const redeliver = useRedeliver();
  const columns = useColumns();
  const again = (id: string) => redeliver.mutate(id, { onSuccess: () => toast(t("The delivery is on its way again.")) });
  return (
    <>
      <div className="mb-4">
        <Select
          label={t("State")}
          value={search.state ?? ""}
          onChange={(text) => {
            const state = STATES.find((one) => one === text);
            void navigate({ search: (old) => ({ ...old, page: undefined, state }), replace: true });
          }}
        >
          <option value="">{t("Every state")}</option>
          {STATES.map((state) => (
            <option key={state} value={state}>
              {t(LOOKS[state].label)}
            </option>
          ))}
        </Select>
      </div>
      {redeliver.error && (
        <div className="mb-4">
          <ErrorBanner error={redeliver.error} />
        </div>
      )}
      <Card className="overflow-hidden">
        {deliveries.error ? (
          <ErrorState error={deliveries.error} onRetry={() => void deliveries.refetch()} />
        ) : (
          <DataTable
            caption={t("Deliveries")}
            columns={columns}
            rows={deliveries.data?.deliveries}
            stale={deliveries.isPlaceholderData}
            rowId={({ id }) => id}
            actions={({ id, state }) =>
              state === "pending" ? null : (
                <Button disabled={redeliver.isPending} onClick={() => again(id)}>
                  {t("Send again")}
                </Button>
              )
            }
            empty={<EmptyState icon={MailX} title={t("No deliveries")} />}
          />
        )}
        {deliveries.data && !deliveries.error && (
          <Pagination
            {...deliveries.data.pagination}
            onPage={(page) => void navigate({ search: (old) => ({ ...old, page: page === 1 ? undefined : page }), replace: true })}
          />
        )}
      </Card>
    </>
  );
}

const LOOKS: Record<Delivery["state"], { label: string; tone: Tone }> = {
  pending: { label: msg("Pending"), tone: "gold" },
  delivered: { label: msg("Delivered"), tone: "good" },
  dead: { label: msg("Given up"), tone: "bad" },
};

function useColumns(): Column<Delivery>[] {
  const { t } = useTranslation();
  return [
    { id: "created_at", header: t("Time"), cell: (delivery) => formatPrecise(delivery.created_at) },
    { id: "kind", header: t("Event"), cell: (delivery) => <code>{delivery.kind}</code> },
    { id: "state", header: t("State"), cell: ({ state }) => <Badge tone={LOOKS[state].tone}>{t(LOOKS[state].label)}</Badge> },
    { id: "attempts", header: t("Tries"), className: "hidden md:table-cell", cell: (delivery) => delivery.attempts },
    {
      id: "last",
      header: t("Answer"),
      className: "hidden lg:table-cell wrap-anywhere",
      cell: ({ last_status, last_error, duration_ms }) =>
        [last_status, last_error, duration_ms === null ? "" : formatMilliseconds(duration_ms)].filter(Boolean).join(" · ") || "–",
    },
  ];
}
