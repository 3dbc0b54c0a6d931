import { queryOptions, useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, bodyOf } from "@/api/client";
import type { Traffic } from "@/api/types";
import { LineChart } from "@/components/ui/line-chart";
import { ErrorBanner, Skeleton } from "@/components/ui/states";
import { useAccess } from "@/features/access/permissions";
import { formatCompact } from "@/lib/format";
import { packetRates, type StatusData } from "./status";

const POLL_MS = 10_000;

/** Requests and logins of the last quarter of an hour, as the backend counted them. */
const trafficQuery = queryOptions({
  queryKey: ["status", "traffic"],
  refetchInterval: POLL_MS,
  retry: false,
  queryFn: ({ signal }) => bodyOf(api.GET("/api/v1/status/traffic", { signal })),
});

/** What the platform has to do, over time: requests, logins, packets. */
export function TrafficCharts({ status }: { status: StatusData | undefined }) {
  const { t } = useTranslation();
  const traffic = useQuery({ ...trafficQuery, enabled: useAccess().may("status.get_traffic") });
  return (
    <section aria-labelledby="traffic">
      <h2 id="traffic" className="mb-3 text-base font-semibold">
        {t("Traffic")}
      </h2>
      <div className="grid grid-cols-[repeat(auto-fit,minmax(min(100%,20rem),1fr))] gap-4">
        {traffic.error && <ErrorBanner error={traffic.error} />}
        {traffic.isLoading && [0, 1].map((index) => <Skeleton key={index} className="h-60 rounded-xl" />)}
        {traffic.data && !traffic.error && <ApiCharts traffic={traffic.data} />}
        {status && status.current.status.fast_path.state !== "not_installed" && <PacketChart status={status} />}
      </div>
    </section>
  );
}

function ApiCharts({ traffic: { scope, step_seconds, points } }: { traffic: Traffic }) {
  const { t } = useTranslation();
  const times = points.map(({ at }) => Date.parse(at));
  const note = scope === "platform" ? t("All backend replicas together") : t("Of one backend replica: there is no Redis to add them up");
  const shared = { note, times, empty: t("Counting: the first values come within a minute.") };
  return (
    <>
      <LineChart
        {...shared}
        title={t("API requests per second")}
        format={formatCompact}
        series={[
          { label: t("Answered"), tone: "gold", values: points.map(({ requests }) => requests / step_seconds) },
          { label: t("Failed"), tone: "bad", values: points.map(({ failures }) => failures / step_seconds) },
        ]}
      />
      <LineChart
        {...shared}
        title={t("Logins per minute")}
        format={formatCompact}
        series={[
          { label: t("Signed in"), tone: "gold", values: points.map(({ logins }) => (60 * logins) / step_seconds) },
          { label: t("Refused"), tone: "bad", values: points.map((point) => (60 * point.refused_logins) / step_seconds) },
        ]}
      />
    </>
  );
}

function PacketChart({ status }: { status: StatusData }) {
  const { t } = useTranslation();
  const { times, values } = packetRates(status);
  return (
    <LineChart
      title={t("Fast-path packets per second")}
      note={t("All nodes together, since this page is open")}
      times={times}
      series={[{ label: t("Seen"), tone: "gold", values }]}
      format={formatCompact}
      empty={t("Counting: the first values come within a minute.")}
    />
  );
}
