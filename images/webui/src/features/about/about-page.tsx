import { useSuspenseQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { apiAddress } from "@/api/client";
import { Card, PageHeader } from "@/components/ui/card";
import { Facts } from "@/components/ui/facts";
import { configQuery } from "@/features/auth/session";

/** What this is, and where its machine-readable documents are. */
export function AboutPage() {
  const { t } = useTranslation();
  const { data: config } = useSuspenseQuery(configQuery);
  return (
    <>
      <PageHeader title={t("About")}>{t("Triptych, a platform in three panels.")}</PageHeader>
      <div className="space-y-6">
        <Facts
          label={t("Installation")}
          facts={[
            [t("Web UI version"), config.version],
            [t("Environment"), config.environment],
            [t("Licence"), "Apache-2.0"],
          ]}
        />
        <Card className="p-5" aria-label={t("Documents")}>
          <h2 className="mb-3 font-semibold">{t("Documents")}</h2>
          <ul className="space-y-2">
            <Document path="/api/v1/openapi.json" text={t("OpenAPI document of the REST API")} />
            <Document path="/.well-known/jwks.json" text={t("Public keys that verify access tokens")} />
          </ul>
        </Card>
        <Card className="p-5" aria-label={t("Keyboard")}>
          <h2 className="mb-3 font-semibold">{t("Keyboard")}</h2>
          <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-2">
            <Key keys={t("Ctrl K")} text={t("Command palette: go to a page or run a command")} />
            <Key keys="Esc" text={t("Close a dialog, a menu or the navigation")} />
            <Key keys="← →" text={t("Move between tabs")} />
          </dl>
        </Card>
      </div>
    </>
  );
}

function Document({ path, text }: { path: string; text: string }) {
  return (
    <li>
      <a href={apiAddress(path)} target="_blank" rel="noreferrer" className="rounded text-gold underline underline-offset-4">
        {text}
      </a>
    </li>
  );
}

function Key({ keys, text }: { keys: string; text: string }) {
  return (
    <>
      <dt>
        <kbd className="rounded border border-line bg-raised px-1.5 py-0.5 text-xs">{keys}</kbd>
      </dt>
      <dd>{text}</dd>
    </>
  );
}
