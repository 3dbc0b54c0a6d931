import { useTranslation } from "react-i18next";
import type { PlatformStatus } from "@/api/types";
import { Facts } from "@/components/ui/facts";

const ENGINES: Record<string, string> = { postgresql: "PostgreSQL", mysql: "MySQL / MariaDB", sqlite: "SQLite" };

/** Environment, versions and database engine. */
export function Installation({ status }: { status: PlatformStatus }) {
  const { t } = useTranslation();
  const facts: [string, string][] = [
    [t("Environment"), status.environment],
    [t("Platform version"), status.version],
    [t("Database engine"), ENGINES[status.database_engine] ?? status.database_engine],
    [t("Schema version"), status.schema_version === null ? t("unknown") : String(status.schema_version)],
  ];
  return <Facts label={t("Installation")} facts={facts} />;
}
