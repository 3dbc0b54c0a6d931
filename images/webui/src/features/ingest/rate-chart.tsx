import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { IngestNode, IngestStream, IngestStreams } from "@/api/types";
import { LineChart } from "@/components/ui/line-chart";
import { formatCompact } from "@/lib/format";
import { useHistory, type Moment } from "@/lib/use-history";
import { streamsQuery } from "./api";

/** Datagrams per second of a node, all ports together. */
export function RateChart({ node: { address } }: { node: IngestNode }) {
  const { t } = useTranslation();
  const moments = useHistory(useQuery(streamsQuery));
  return (
    <LineChart
      title={t("Datagrams per second")}
      note={t("All ports together, since this page is open")}
      times={moments.map(({ at }) => at)}
      series={[
        { label: t("Received"), tone: "gold", values: ratesOf(moments, address, "received_per_second") },
        { label: t("Lost"), tone: "bad", values: ratesOf(moments, address, "dropped_per_second") },
      ]}
      format={formatCompact}
      empty={t("Counting: the first values come within a minute.")}
    />
  );
}

type Rate = "received_per_second" | "dropped_per_second";

/** Undefined where no stream had a rate: the node was away, or looked at for the first time. */
function ratesOf(moments: readonly Moment<IngestStreams>[], address: string, rate: Rate): (number | undefined)[] {
  return moments.map(({ value }) => sumOf(value.nodes.find((node) => node.address === address)?.streams ?? [], rate));
}

function sumOf(streams: readonly IngestStream[], rate: Rate): number | undefined {
  const known = streams.map((stream) => stream[rate]).filter((value) => value !== null);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0);
}
