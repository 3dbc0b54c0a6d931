import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/ui/card";
import { ErrorState, Skeleton } from "@/components/ui/states";
import { Tabs } from "@/components/ui/tabs";
import { Guarded } from "@/features/access/guarded";
import { ComponentGrid } from "@/features/dashboard/component-grid";
import { shownComponents } from "@/features/dashboard/dashboard-page";
import { FastPathPanel } from "@/features/dashboard/fast-path-panel";
import { Installation } from "@/features/dashboard/installation";
import { statusQuery, webuiQuery, type StatusData } from "@/features/dashboard/status";

export const SystemPage = () => (
  <Guarded operation="status.get_status">
    <System />
  </Guarded>
);

/** What is installed, in which version and on which nodes. */
function System() {
  const { t } = useTranslation();
  const status = useQuery(statusQuery(useQueryClient()));
  return (
    <>
      <PageHeader title={t("System")}>{t("Versions, database and nodes of this installation.")}</PageHeader>
      {status.error ? (
        <ErrorState error={status.error} onRetry={() => void status.refetch()} />
      ) : status.data ? (
        <SystemTabs data={status.data} />
      ) : (
        <Skeleton className="h-60 rounded-xl" />
      )}
    </>
  );
}

function SystemTabs({ data }: { data: StatusData }) {
  const { t } = useTranslation();
  return (
    <Tabs
      label={t("System")}
      tabs={[
        { id: "installation", label: t("Installation"), render: () => <Installation status={data.current.status} /> },
        { id: "components", label: t("Components"), render: () => <Components data={data} /> },
        { id: "nodes", label: t("Nodes"), render: () => <FastPathPanel data={data} /> },
      ]}
    />
  );
}

function Components({ data }: { data: StatusData }) {
  const { t } = useTranslation();
  const webui = useQuery(webuiQuery);
  return (
    <section aria-labelledby="components">
      <h2 id="components" className="sr-only">
        {t("Components")}
      </h2>
      <ComponentGrid components={shownComponents({ data, error: null }, webui)} />
    </section>
  );
}
