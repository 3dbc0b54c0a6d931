import { useSuspenseQuery } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { apiAddress } from "@/api/client";
import { Logo } from "@/components/logo";
import { Card } from "@/components/ui/card";
import { safePath } from "@/lib/safe-path";
import { LoginForm } from "./login-form";
import { configQuery } from "./session";

export function LoginPage() {
  const { t } = useTranslation();
  const router = useRouter();
  const { next, ended } = useSearch({ from: "/login" });
  const { data: config } = useSuspenseQuery(configQuery);
  return (
    <main className="flex min-h-dvh flex-col items-center justify-center gap-6 px-4 py-10">
      <div className="flex flex-col items-center gap-3 text-center">
        <Logo className="size-12" />
        <h1 className="text-2xl font-semibold tracking-tight text-gold">{t("Sign in to Triptych")}</h1>
      </div>
      <Card className="w-full max-w-sm p-6 shadow-xl shadow-black/20">
        {ended && (
          <p role="status" className="mb-5 rounded-lg border border-line bg-raised p-3">
            {t("Your session has ended. Sign in to go on.")}
          </p>
        )}
        <LoginForm onSuccess={() => router.history.push(apiAddress(safePath(next)))} />
      </Card>
      {config.environment === "alpha" && (
        <p className="text-center text-muted">
          {t("Alpha environment: sign in as")} <code className="text-ink">admin@example.com</code> /{" "}
          <code className="text-ink">admin</code>
        </p>
      )}
      <p className="text-xs text-muted">
        {t("Version {{version}}", { version: config.version })} · {config.environment}
      </p>
    </main>
  );
}
