import { useQuery } from "@tanstack/react-query";
import { Unplug } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Card } from "@/components/ui/card";
import { EmptyState, ErrorState, Skeleton } from "@/components/ui/states";
import { Feed } from "@/features/events/event-list";
import { useStream } from "@/features/events/use-events";
import { guardStatusQuery } from "./api";

const KINDS = ["drop", "lost", "error"] as const;

/** Samples of what the guard drops, as it happens. */
export default function DropsTab() {
  const { t } = useTranslation();
  const status = useQuery(guardStatusQuery);
  if (status.error) return <ErrorState error={status.error} onRetry={() => void status.refetch()} />;
  if (!status.data) return <Skeleton className="h-60 rounded-xl" />;
  // The backend refuses the stream where no node could feed it.
  if (status.data.state === "running") return <Drops />;
  return (
    <Card>
      <EmptyState icon={Unplug} title={t("No fast-path node yet")}>
        {t("Dropped packets appear here when a node runs the guard.")}
      </EmptyState>
    </Card>
  );
}

function Drops() {
  const { t } = useTranslation();
  return (
    <Feed label={t("Dropped packets")} {...useStream("/api/v1/guard/drops", KINDS)} emptyTitle={t("Nothing dropped yet")}>
      {t("Samples of dropped packets appear here as it happens, while this page is open.")}
    </Feed>
  );
}
