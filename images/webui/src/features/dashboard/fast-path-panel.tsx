import { clsx } from "clsx";
import type { TFunction } from "i18next";
import { Unplug, ZapOff } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { FastPathNode } from "@/api/types";
import { Badge, type Tone } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { EmptyState } from "@/components/ui/states";
import { msg } from "@/i18n";
import { formatBytes } from "@/lib/format";
import { CounterTable } from "./counter-table";
import { counterRates, type StatusData } from "./status";

export function FastPathPanel({ data }: { data: StatusData }) {
  const { t } = useTranslation();
  const { state, nodes } = data.current.status.fast_path;
  return (
    <section aria-labelledby="fast-path">
      <h2 id="fast-path" className="mb-3 text-base font-semibold">
        {t("Fast path")}
      </h2>
      {nodes.length > 0 ? (
        <div className={clsx("grid gap-4", nodes.length > 1 && "xl:grid-cols-2")}>
          {nodes.map((node) => (
            <NodeCard key={node.node} node={node} data={data} />
          ))}
        </div>
      ) : (
        <Card>
          <EmptyState level="h3" icon={EMPTY[state].icon} title={t(EMPTY[state].title)}>
            {t(EMPTY[state].text)}
          </EmptyState>
        </Card>
      )}
    </section>
  );
}

const EMPTY = {
  not_installed: {
    icon: ZapOff,
    title: msg("The fast path is not installed"),
    text: msg(
      "Enable the Go backend in the chart's values to count and filter traffic on nodes that can run it. Everything else works without it.",
    ),
  },
  unavailable: {
    icon: Unplug,
    title: msg("No fast-path node answers"),
    text: msg(
      "The Go backend is installed, but none of its pods could be reached. Check that a node has the fast-path labels and free hugepages.",
    ),
  },
  running: {
    icon: Unplug,
    title: msg("No fast-path node yet"),
    text: msg("The Go backend runs, but has reported no node so far."),
  },
};

const MODES: Record<string, Tone> = { native: "good", generic: "gold" };

function NodeCard({ node, data }: { node: FastPathNode; data: StatusData }) {
  const { t } = useTranslation();
  return (
    <Card aria-label={t("Node {{name}}", { name: node.node })} className="overflow-hidden">
      <div className="flex flex-wrap items-center justify-between gap-2 px-5 pt-4">
        <h3 className="font-medium">{node.node}</h3>
        <Badge tone={MODES[node.xdp_mode] ?? "idle"} dot>
          XDP {node.xdp_mode || "off"}
        </Badge>
      </div>
      {node.reason && <p className="px-5 pt-1 text-xs text-muted">{node.reason}</p>}
      <dl className="grid grid-cols-2 gap-x-6 gap-y-4 px-5 py-4 sm:grid-cols-[repeat(auto-fit,minmax(10rem,1fr))]">
        <Fact term={t("Interface")}>{node.interface || t("none")}</Fact>
        <Fact term={t("Kernel")}>{node.kernel}</Fact>
        <Fact term={t("Version")}>{node.version}</Fact>
        <Fact term={t("Hugepages")}>{hugepages(t, node)}</Fact>
        <Fact term={t("NUMA nodes")}>{numa(t, node)}</Fact>
        <Fact term={t("Network guard")}>
          {node.guard.enforcing ? t("Enforcing") : t("Observing")}
          <Reason text={node.guard.reason} />
        </Fact>
        <Fact term={t("Rules")}>{t("{{rules}}, revision {{revision}}", node.guard)}</Fact>
        <Fact term={t("Ingest")}>
          {[node.ingest.mode || t("none"), ...node.ingest.ports].join(" · ")}
          <Reason text={node.ingest.reason} />
        </Fact>
      </dl>
      <CounterTable counters={counterRates(node, data)} />
    </Card>
  );
}

function Reason({ text }: { text: string }) {
  return text && <span className="block text-xs wrap-anywhere text-muted">{text}</span>;
}

function Fact({ term, children }: { term: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs text-muted">{term}</dt>
      <dd className="mt-0.5 break-words">{children}</dd>
    </div>
  );
}

function hugepages(t: TFunction, { hugepages: pools }: FastPathNode): ReactNode {
  const used = pools.filter((pool) => pool.total > 0);
  if (used.length === 0) return t("none");
  return used.map((pool) => (
    <span key={pool.size_bytes} className="block">
      {t("{{free}} of {{total}} × {{size}} free", { free: pool.free, total: pool.total, size: formatBytes(pool.size_bytes) })}
    </span>
  ));
}

function numa(t: TFunction, { numa_nodes: nodes }: FastPathNode): ReactNode {
  if (nodes.length === 0) return t("unknown");
  return nodes.map(({ id, cpus, memory_bytes }) => (
    <span key={id} className="block">
      {id}: CPU {cpus}, {formatBytes(memory_bytes)}
    </span>
  ));
}
