import { useQuery } from "@tanstack/react-query";
import { Unplug } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { GuardNode } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { BarChart } from "@/components/ui/bar-chart";
import { Card } from "@/components/ui/card";
import { Facts } from "@/components/ui/facts";
import { EmptyState, ErrorState, Skeleton } from "@/components/ui/states";
import { formatCompact } from "@/lib/format";
import { guardStatusQuery } from "./api";

const TOP = 10;

/** What the guard does at each node: verdicts and the loudest sources, as they change. */
export default function TrafficTab() {
  const { t } = useTranslation();
  const status = useQuery(guardStatusQuery);
  if (status.error) return <ErrorState error={status.error} onRetry={() => void status.refetch()} />;
  if (!status.data) return <Skeleton className="h-60 rounded-xl" />;
  if (status.data.nodes.length > 0) {
    return (
      <div className="space-y-8">
        {status.data.nodes.map((node) => (
          <NodeTraffic key={node.address} node={node} />
        ))}
      </div>
    );
  }
  return (
    <Card>
      <EmptyState icon={Unplug} title={t("No fast-path node yet")}>
        {t("Verdicts and sources appear here when a node runs the guard.")}
      </EmptyState>
    </Card>
  );
}

function NodeTraffic({ node }: { node: GuardNode }) {
  const { t } = useTranslation();
  const name = node.node || node.address;
  return (
    <section aria-label={t("Node {{name}}", { name })} className="space-y-4">
      <h2 className="flex flex-wrap items-center gap-3 text-base font-semibold">
        {name}
        <Badge tone={node.enforcing ? "good" : "idle"} dot>
          {node.enforcing ? t("Enforcing") : t("Observing")}
        </Badge>
        {!node.up_to_date && <Badge tone="gold">{t("behind")}</Badge>}
      </h2>
      {(node.error || node.reason) && <p className="text-muted">{node.error || node.reason}</p>}
      <Facts
        label={t("Guard at {{name}}", { name })}
        facts={[
          [t("XDP mode"), node.xdp_mode || t("unknown")],
          [t("Revision"), String(node.revision)],
          [t("Rules"), String(node.rules)],
          [t("Always open ports"), node.fail_safe_ports.join(", ") || "–"],
        ]}
      />
      <div className="grid gap-4 lg:grid-cols-2">
        <BarChart
          title={t("Packets by verdict")}
          bars={byVerdict(node).map(([label, value]) => ({ label, value, text: formatCompact(value) }))}
          empty={t("No traffic counted yet.")}
        />
        <BarChart
          title={t("Top sources")}
          bars={node.top_sources.slice(0, TOP).map(({ source, packets, dropped_packets }) => ({
            label: source,
            value: packets,
            text: t("{{packets}}, {{dropped}} dropped", { packets: formatCompact(packets), dropped: formatCompact(dropped_packets) }),
          }))}
          empty={t("No source seen yet.")}
        />
      </div>
    </section>
  );
}

function byVerdict({ counters }: GuardNode): [string, number][] {
  const sums = new Map<string, number>();
  for (const { verdict, packets } of counters) sums.set(verdict, (sums.get(verdict) ?? 0) + packets);
  return [...sums].filter(([, packets]) => packets > 0).sort(([, a], [, b]) => b - a);
}
