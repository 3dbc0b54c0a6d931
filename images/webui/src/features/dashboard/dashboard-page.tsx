import { useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import type { ComponentStatus, PlatformStatus } from "@/api/types";
import { Card, PageHeader } from "@/components/ui/card";
import { ErrorBanner, Skeleton } from "@/components/ui/states";
import { COMPONENT_NAMES, ComponentGrid, ComponentGridSkeleton, type ShownComponent } from "./component-grid";
import { FastPathPanel } from "./fast-path-panel";
import { statusQuery, webuiQuery, type StatusData } from "./status";

export function DashboardPage() {
  const status = useQuery(statusQuery(useQueryClient()));
  const webui = useQuery(webuiQuery);
  return (
    <>
      <PageHeader title="Dashboard" actions={<Freshness status={status} />}>
        Health of the platform, checked every five seconds.
      </PageHeader>
      <div className="space-y-8">
        {status.error && <ErrorBanner error={status.error} />}
        <section aria-labelledby="components">
          <h2 id="components" className="mb-3 text-base font-semibold">
            Components
          </h2>
          {status.isPending ? <ComponentGridSkeleton /> : <ComponentGrid components={shownComponents(status, webui)} />}
        </section>
        {status.isPending && <Skeleton className="h-20 rounded-xl" />}
        {status.data && <Facts status={status.data.current.status} />}
        {status.data && !status.error && <FastPathPanel data={status.data} />}
      </div>
    </>
  );
}

function Freshness({ status }: { status: UseQueryResult<StatusData> }) {
  if (!status.data) return null;
  const time = new Date(status.dataUpdatedAt).toLocaleTimeString();
  return (
    <p className="flex items-center gap-2 text-xs text-muted">
      <span aria-hidden className={`size-2 rounded-full ${status.error ? "bg-bad" : "animate-pulse bg-good"}`} />
      {status.error ? `Last answer at ${time}` : `Updated at ${time}`}
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

const ENGINES: Record<string, string> = { postgresql: "PostgreSQL", mysql: "MySQL / MariaDB", sqlite: "SQLite" };

function Facts({ status }: { status: PlatformStatus }) {
  const facts = [
    ["Environment", status.environment],
    ["Platform version", status.version],
    ["Database engine", ENGINES[status.database_engine] ?? status.database_engine],
    ["Schema version", status.schema_version === null ? "unknown" : String(status.schema_version)],
  ];
  return (
    <Card aria-label="Installation">
      <dl className="grid grid-cols-2 gap-x-6 gap-y-4 px-5 py-4 lg:grid-cols-4">
        {facts.map(([term, value]) => (
          <div key={term}>
            <dt className="text-xs text-muted">{term}</dt>
            <dd className="mt-0.5 text-base font-medium">{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
