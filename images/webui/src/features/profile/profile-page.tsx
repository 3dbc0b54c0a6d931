import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/ui/card";
import { Facts } from "@/components/ui/facts";
import { Tabs, type Tab } from "@/components/ui/tabs";
import { useUser } from "@/features/auth/session";
import { ApiKeys } from "./api-keys";
import { Appearance } from "./appearance";
import { Security } from "./security";
import { Sessions } from "./sessions";

/** The signed-in user's own page. */
export function ProfilePage() {
  const { t } = useTranslation();
  const user = useUser();
  const tabs: Tab[] = [
    { id: "account", label: t("Account"), render: () => <Account /> },
    { id: "security", label: t("Security"), render: () => <Security /> },
    { id: "sessions", label: t("Sessions"), render: () => <Sessions /> },
    { id: "api-keys", label: t("API keys"), render: () => <ApiKeys /> },
    { id: "appearance", label: t("Appearance"), render: () => <Appearance /> },
  ];
  return (
    <>
      <PageHeader title={t("Profile")}>{user.email}</PageHeader>
      <Tabs label={t("Profile")} tabs={tabs} />
    </>
  );
}

function Account() {
  const { t } = useTranslation();
  const user = useUser();
  return (
    <Facts
      label={t("Account")}
      facts={[
        [t("Name"), user.full_name],
        [t("Email"), user.email],
        [t("Role"), user.role],
      ]}
    />
  );
}
