import { Unplug } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { IngestNode, IngestStream } from "@/api/types";
import { BarChart } from "@/components/ui/bar-chart";
import { Card } from "@/components/ui/card";
import { DataTable, type Column } from "@/components/ui/data-table";
import { EmptyState } from "@/components/ui/states";
import { formatCompact, formatCount } from "@/lib/format";
import { IngestNodes, nameOf } from "./ingest-nodes";
import { lossesOf, lost } from "./losses";
import { RateChart } from "./rate-chart";

/** What comes in at each node, live. */
export function StreamsTab() {
  return <IngestNodes>{(node) => <NodeStreams node={node} />}</IngestNodes>;
}

function NodeStreams({ node }: { node: IngestNode }) {
  const { t } = useTranslation();
  const columns = useColumns();
  return (
    <>
      <Card className="overflow-hidden">
        <DataTable
          caption={t("Streams at {{name}}", { name: nameOf(node) })}
          columns={columns}
          rows={node.streams}
          rowId={({ port }) => String(port)}
          empty={
            <EmptyState level="h3" icon={Unplug} title={t("No ingest port")}>
              {t("Give the Go backend ports to take datagrams in at.")}
            </EmptyState>
          }
        />
      </Card>
      {node.streams.length > 0 && (
        <div className="grid gap-4 lg:grid-cols-2">
          <RateChart node={node} />
          <BarChart
            title={t("Loss by cause")}
            bars={lossesOf(node.streams).map(([label, value]) => ({ label, value, text: formatCompact(value) }))}
            empty={t("Nothing lost.")}
          />
        </div>
      )}
    </>
  );
}

const NUMBER = "tabular-nums";

function useColumns(): Column<IngestStream>[] {
  const { t } = useTranslation();
  return [
    { id: "port", header: t("Port"), className: NUMBER, cell: ({ port }) => port },
    {
      id: "mode",
      header: t("Mode"),
      className: "hidden md:table-cell",
      cell: ({ mode, reason }) => (
        <>
          {mode}
          {reason && <p className="text-xs wrap-anywhere text-muted">{reason}</p>}
        </>
      ),
    },
    { id: "received", header: t("Received"), className: NUMBER, cell: ({ counters }) => formatCount(counters.received) },
    { id: "received_per_second", header: t("Received/s"), className: NUMBER, cell: (stream) => rate(stream.received_per_second) },
    { id: "delivered", header: t("Delivered"), className: `${NUMBER} hidden lg:table-cell`, cell: ({ counters }) => formatCount(counters.delivered) },
    { id: "pending", header: t("Pending"), className: `${NUMBER} hidden lg:table-cell`, cell: ({ counters }) => formatCount(counters.pending) },
    { id: "dropped", header: t("Lost"), className: `${NUMBER} hidden sm:table-cell`, cell: ({ counters }) => formatCount(lost(counters.dropped)) },
    { id: "dropped_per_second", header: t("Lost/s"), className: NUMBER, cell: (stream) => rate(stream.dropped_per_second) },
    { id: "subscribers", header: t("Subscribers"), className: `${NUMBER} hidden md:table-cell`, cell: ({ subscribers }) => formatCount(subscribers) },
  ];
}

/** There is no rate before the second look. */
const rate = (value: number | null) => (value === null ? "–" : formatCompact(value));
