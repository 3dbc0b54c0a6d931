import { useTranslation } from "react-i18next";
import { Logo } from "@/components/logo";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { PasswordForm } from "./password-form";
import { useLogout } from "./session";

/** Where a user lands whose password is good for its change alone. */
export function PasswordPage() {
  const { t } = useTranslation();
  const logout = useLogout();
  const leave = () => logout.mutate();
  return (
    <main className="flex min-h-dvh flex-col items-center justify-center gap-6 px-4 py-10">
      <div className="flex flex-col items-center gap-3 text-center">
        <Logo className="size-12" />
        <h1 className="text-2xl font-semibold tracking-tight text-gold">{t("Choose a password of your own")}</h1>
        <p className="text-muted">{t("Afterwards sign in with it.")}</p>
      </div>
      <Card className="w-full max-w-sm p-6 shadow-xl shadow-black/20">
        <PasswordForm onSuccess={leave} />
      </Card>
      <Button onClick={leave}>{t("Sign out")}</Button>
    </main>
  );
}
