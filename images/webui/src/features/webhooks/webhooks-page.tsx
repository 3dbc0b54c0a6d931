import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/states";
import { Tabs } from "@/components/ui/tabs";
import { Guarded } from "@/features/access/guarded";
import { WebhooksTab } from "./webhooks-tab";

const DeliveriesTab = lazy(() => import("./deliveries-tab"));

export const WebhooksPage = () => (
  <Guarded operation="webhooks.list_webhooks">
    <Webhooks />
  </Guarded>
);

function Webhooks() {
  const { t } = useTranslation();
  return (
    <>
      <PageHeader title={t("Webhooks")}>{t("Which other systems are told of what happens here.")}</PageHeader>
      <Suspense fallback={<Skeleton className="h-60 rounded-xl" />}>
        <Tabs
          label={t("Webhooks")}
          tabs={[
            { id: "webhooks", label: t("Webhooks"), render: () => <WebhooksTab /> },
            { id: "deliveries", label: t("Deliveries"), render: () => <DeliveriesTab /> },
          ]}
        />
      </Suspense>
    </>
  );
}
