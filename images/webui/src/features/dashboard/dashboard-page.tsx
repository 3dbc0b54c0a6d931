import { useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { ComponentStatus } from "@/api/types";
import { PageHeader } from "@/components/ui/card";
import { ErrorBanner, Skeleton } from "@/components/ui/states";
import { formatClock } from "@/lib/format";
import { COMPONENT_NAMES, ComponentGrid, ComponentGridSkeleton, type ShownComponent } from "./component-grid";
import { FastPathPanel } from "./fast-path-panel";
import { Installation } from "./installation";
import { statusQuery, webuiQuery, type StatusData } from "./status";
import { TrafficCharts } from "./traffic";

export function DashboardPage() {
  const { t } = useTranslation();
  const status = useQuery(statusQuery(useQueryClient()));
  const webui = useQuery(webuiQuery);
  return (
    <>
      <PageHeader title={t("Dashboard")} actions={<Freshness status={status} />}>
        {t("Health of the platform, checked every five seconds.")}
      </PageHeader>
      <div className="space-y-8">
        {status.error && <ErrorBanner error={status.error} />}
        <section aria-labelledby="components">
          <h2 id="components" className="mb-3 text-base font-semibold">
            {t("Components")}
          </h2>
          {status.isPending ? <ComponentGridSkeleton /> : <ComponentGrid components={shownComponents(status, webui)} />}
        </section>
        {status.isPending && <Skeleton className="h-20 rounded-xl" />}
        <TrafficCharts status={status.error ? undefined : status.data} />
        {status.data && <Installation status={status.data.current.status} />}
        {status.data && !status.error && <FastPathPanel data={status.data} />}
      </div>
    </>
  );
}

function Freshness({ status }: { status: UseQueryResult<StatusData> }) {
  const { t } = useTranslation();
  if (!status.data) return null;
  const time = formatClock(status.dataUpdatedAt);
  return (
    <p className="flex items-center gap-2 text-xs text-muted">
      <span aria-hidden className={`size-2 rounded-full ${status.error ? "bg-bad" : "animate-pulse bg-good"}`} />
      {status.error ? t("Last answer at {{time}}", { time }) : t("Updated at {{time}}", { time })}
    </p>
  );
}

/**
 * Every component in a fixed order. What the backend reports is only shown while it answers: an old report
 * must not look like the present.
 */
export function shownComponents(
  status: Pick<UseQueryResult<StatusData>, "data" | "error">,
  webui: Pick<UseQueryResult<ComponentStatus>, "data" | "error">,
): ShownComponent[] {
  const reported = status.error ? [] : (status.data?.current.status.components ?? []);
  const known = new Map<string, ShownComponent>(reported.map((component) => [component.name, component]));
  known.set("webui", ownState(webui));
  if (status.error) known.set("flask-backend", blank("flask-backend", "unavailable"));
  const names = [...new Set([...COMPONENT_NAMES, ...known.keys()])];
  return names.map((name) => known.get(name) ?? blank(name, "unknown"));
}

function ownState({ data, error }: Pick<UseQueryResult<ComponentStatus>, "data" | "error">): ShownComponent {
  if (error) return blank("webui", "unavailable");
  return data ?? blank("webui", "unknown");
}

function blank(name: string, status: ShownComponent["status"]): ShownComponent {
  return { name, status, detail: "", latency_ms: 0 };
}
