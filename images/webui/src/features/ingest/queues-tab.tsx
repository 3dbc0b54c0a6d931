import { Layers, Radio } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { IngestNode, IngestQueue, IngestSubscription } from "@/api/types";
import { Card } from "@/components/ui/card";
import { DataTable, type Column } from "@/components/ui/data-table";
import { EmptyState } from "@/components/ui/states";
import { formatBytes, formatCount } from "@/lib/format";
import { IngestNodes, nameOf } from "./ingest-nodes";
import { lost } from "./losses";

/** Where datagrams lie and who reads them, at each node. */
export default function QueuesTab() {
  return <IngestNodes>{(node) => <NodeQueues node={node} />}</IngestNodes>;
}

function NodeQueues({ node }: { node: IngestNode }) {
  const { t } = useTranslation();
  const name = nameOf(node);
  return (
    <>
      <Card className="overflow-hidden">
        <DataTable
          caption={t("Queues at {{name}}", { name })}
          columns={useQueueColumns()}
          rows={node.queues}
          rowId={(queue) => queue.name}
          empty={
            <EmptyState level="h3" icon={Layers} title={t("No AF_XDP queue")}>
              {t("Queues appear where a node takes datagrams in by AF_XDP. Sockets need none.")}
            </EmptyState>
          }
        />
      </Card>
      <Card className="overflow-hidden">
        <DataTable
          caption={t("Subscriptions at {{name}}", { name })}
          columns={useSubscriptionColumns()}
          rows={node.subscriptions}
          rowId={({ id }) => String(id)}
          empty={
            <EmptyState level="h3" icon={Radio} title={t("Nobody is subscribed")}>
              {t("Programs that read the stream by gRPC appear here, the live tail of this page too.")}
            </EmptyState>
          }
        />
      </Card>
    </>
  );
}

const NUMBER = "tabular-nums";

function useQueueColumns(): Column<IngestQueue>[] {
  const { t } = useTranslation();
  return [
    { id: "name", header: t("Queue"), cell: ({ name }) => name },
    { id: "numa_node", header: t("NUMA node"), className: "hidden md:table-cell", cell: ({ numa_node }) => numa_node ?? t("unknown") },
    {
      id: "page_kind",
      header: t("Memory"),
      className: "hidden md:table-cell",
      cell: ({ page_kind, reason, slots, slot_bytes }) => (
        <>
          {page_kind}, {formatBytes(slots * slot_bytes)}
          {reason && <p className="text-xs wrap-anywhere text-muted">{reason}</p>}
        </>
      ),
    },
    { id: "slots", header: t("Slots in use"), className: NUMBER, cell: (queue) => <SlotsInUse queue={queue} /> },
    { id: "rx_ring_full", header: t("Receive ring full"), className: `${NUMBER} hidden sm:table-cell`, cell: (queue) => formatCount(queue.rx_ring_full) },
    { id: "fill_ring_empty", header: t("Fill ring empty"), className: `${NUMBER} hidden sm:table-cell`, cell: (queue) => formatCount(queue.fill_ring_empty) },
  ];
}

function SlotsInUse({ queue: { name, slots, slots_in_use } }: { queue: IngestQueue }) {
  const { t } = useTranslation();
  return (
    <span className="flex items-center gap-2">
      <progress aria-label={t("Slots in use of {{name}}", { name })} max={slots} value={slots_in_use} className="h-2 w-20 accent-gold" />
      {formatCount(slots_in_use)} / {formatCount(slots)}
    </span>
  );
}

function useSubscriptionColumns(): Column<IngestSubscription>[] {
  const { t } = useTranslation();
  return [
    { id: "peer", header: t("Subscriber"), className: "wrap-anywhere", cell: ({ peer }) => peer },
    { id: "ports", header: t("Ports"), className: NUMBER, cell: ({ ports }) => (ports.length > 0 ? ports.join(", ") : t("all")) },
    { id: "delivered", header: t("Delivered"), className: NUMBER, cell: ({ counters }) => formatCount(counters.delivered) },
    { id: "pending", header: t("Pending"), className: `${NUMBER} hidden sm:table-cell`, cell: ({ counters }) => formatCount(counters.pending) },
    { id: "dropped", header: t("Lost"), className: NUMBER, cell: ({ counters }) => formatCount(lost(counters.dropped)) },
  ];
}
