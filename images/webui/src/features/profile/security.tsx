import { useTranslation } from "react-i18next";
import { Card } from "@/components/ui/card";
import { toast } from "@/components/ui/toast";
import { PasswordForm } from "@/features/auth/password-form";
import { useLogout } from "@/features/auth/session";
import { SecondFactor } from "./second-factor";

/** One's own password and second factor. */
export function Security() {
  return (
    <div className="grid items-start gap-6 lg:grid-cols-2">
      <OwnPassword />
      <SecondFactor />
    </div>
  );
}

function OwnPassword() {
  const { t } = useTranslation();
  const logout = useLogout();
  const changed = () => {
    toast(t("The password is changed. Sign in with the new one."));
    logout.mutate();
  };
  return (
    <Card aria-label={t("Password")} className="space-y-5 p-6">
      <div>
        <h2 className="text-base font-semibold">{t("Password")}</h2>
        <p className="mt-1 text-muted">{t("A new password ends all your sessions, this one too.")}</p>
      </div>
      <PasswordForm onSuccess={changed} />
    </Card>
  );
}
