import { useQuery } from "@tanstack/react-query";
import { Info } from "lucide-react";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/states";
import { Tabs, type Tab } from "@/components/ui/tabs";
import { Guarded } from "@/features/access/guarded";
import { useAccess } from "@/features/access/permissions";
import { EventList } from "@/features/events/event-list";
import { msg } from "@/i18n";
import { guardStatusQuery } from "./api";
import { RulesTab } from "./rules-tab";

const TrafficTab = lazy(() => import("./traffic-tab"));
const DropsTab = lazy(() => import("./drops-tab"));
const PolicyTab = lazy(() => import("./policy-tab"));

export const GuardPage = () => (
  <Guarded operation="guard.list_rules">
    <Guard />
  </Guarded>
);

function Guard() {
  const { t } = useTranslation();
  const tabs: Tab[] = [
    { id: "rules", label: t("Rules"), render: () => <RulesTab /> },
    { id: "traffic", label: t("Traffic"), render: () => <TrafficTab /> },
    { id: "policy", label: t("Policy"), render: () => <PolicyTab /> },
    { id: "events", label: t("Events"), render: () => <EventList topics="guard" /> },
  ];
  if (useAccess().may("guard.watch_drops")) tabs.push({ id: "drops", label: t("Drops"), render: () => <DropsTab /> });
  return (
    <>
      <PageHeader title={t("Network guard")}>{t("Which traffic the nodes let in, limit and drop.")}</PageHeader>
      <FastPathNotice />
      <Suspense fallback={<Skeleton className="h-60 rounded-xl" />}>
        <Tabs label={t("Network guard")} tabs={tabs} />
      </Suspense>
    </>
  );
}

const NOTES = {
  not_installed: msg("The fast path is not installed: rules are kept, and enforced as soon as the Go backend is enabled."),
  unavailable: msg("No fast-path node answers: rules are kept, and reach the nodes as soon as they are back."),
};

/** Says when rules are kept, but nothing enforces them. */
function FastPathNotice() {
  const { t } = useTranslation();
  const { data } = useQuery(guardStatusQuery);
  if (!data || data.state === "running") return null;
  return (
    <p role="status" className="mb-6 flex gap-3 rounded-lg border border-line bg-surface p-3">
      <Info aria-hidden className="mt-0.5 size-4 shrink-0 text-gold" />
      {t(NOTES[data.state])}
    </p>
  );
}
