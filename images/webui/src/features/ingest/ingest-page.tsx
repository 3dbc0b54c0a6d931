import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/states";
import { Tabs, type Tab } from "@/components/ui/tabs";
import { Guarded } from "@/features/access/guarded";
import { useAccess } from "@/features/access/permissions";
import { StreamsTab } from "./streams-tab";
import { TailTab } from "./tail-tab";

const QueuesTab = lazy(() => import("./queues-tab"));

export const IngestPage = () => (
  <Guarded operation="ingest.list_streams">
    <Ingest />
  </Guarded>
);

function Ingest() {
  const { t } = useTranslation();
  const access = useAccess();
  const tabs: Tab[] = [
    { id: "streams", label: t("Streams"), render: () => <StreamsTab /> },
    { id: "queues", label: t("Queues and subscribers"), render: () => <QueuesTab /> },
  ];
  if (access.may("ingest.tail")) tabs.push({ id: "tail", label: t("Live tail"), render: () => <TailTab /> });
  return (
    <>
      <PageHeader title={t("Ingest")}>{t("Datagrams that the nodes take in, and what becomes of them.")}</PageHeader>
      <Suspense fallback={<Skeleton className="h-60 rounded-xl" />}>
        <Tabs label={t("Ingest")} tabs={tabs} />
      </Suspense>
    </>
  );
}
