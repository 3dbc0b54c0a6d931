import { useQuery } from "@tanstack/react-query";
import { Unplug } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { IngestNode, IngestStream, IngestStreams } from "@/api/types";
import { BarChart } from "@/components/ui/bar-chart";
import { Card } from "@/components/ui/card";
import { DataTable, type Column } from "@/components/ui/data-table";
import { EmptyState, ErrorState, Skeleton } from "@/components/ui/states";
import { msg } from "@/i18n";
import { formatCompact, formatCount } from "@/lib/format";
import { streamsQuery } from "./api";

/** What comes in at each node, live. */
export function StreamsTab() {
  const streams = useQuery(streamsQuery);
  if (streams.error) return <ErrorState error={streams.error} onRetry={() => void streams.refetch()} />;
  if (!streams.data) return <Skeleton className="h-60 rounded-xl" />;
  if (streams.data.nodes.length === 0) return <NoNodes state={streams.data.state} />;
  return (
    <div className="space-y-8">
      {streams.data.nodes.map((node) => (
        <NodeStreams key={node.address} node={node} />
      ))}
    </div>
  );
}

const NOTES: Record<IngestStreams["state"], string> = {
  running: msg("Streams appear here when a node takes datagrams in."),
  unavailable: msg("No fast-path node answers. Streams appear here as soon as one is back."),
  not_installed: msg("The fast path is not installed. Enable the Go backend to take datagrams in."),
};

function NoNodes({ state }: { state: IngestStreams["state"] }) {
  const { t } = useTranslation();
  return (
    <Card>
      <EmptyState icon={Unplug} title={t("No fast-path node yet")}>
        {t(NOTES[state])}
      </EmptyState>
    </Card>
  );
}

function NodeStreams({ node }: { node: IngestNode }) {
  const { t } = useTranslation();
  const columns = useColumns();
  const name = node.node || node.address;
  const losses = lossesOf(node.streams);
  return (
    <section aria-label={t("Node {{name}}", { name })} className="space-y-4">
      <h2 className="text-base font-semibold">{name}</h2>
      {node.error && <p className="text-muted">{node.error}</p>}
      {!node.error && (
        <Card className="overflow-hidden">
          <DataTable
            caption={t("Streams at {{name}}", { name })}
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
      )}
      {node.streams.length > 0 && (
        <BarChart
          title={t("Loss by cause")}
          bars={losses.map(([label, value]) => ({ label, value, text: formatCompact(value) }))}
          empty={t("Nothing lost.")}
        />
      )}
    </section>
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
const lost = (dropped: IngestStream["counters"]["dropped"]) => dropped.reduce((sum, { datagrams }) => sum + datagrams, 0);

/** Lost datagrams of a node by cause, the greatest first. */
function lossesOf(streams: readonly IngestStream[]): [string, number][] {
  const sums = new Map<string, number>();
  for (const { cause, datagrams } of streams.flatMap(({ counters }) => counters.dropped)) {
    sums.set(cause, (sums.get(cause) ?? 0) + datagrams);
  }
  return [...sums].filter(([, datagrams]) => datagrams > 0).sort(([, a], [, b]) => b - a);
}
