import { Link, type ErrorComponentProps } from "@tanstack/react-router";
import { Compass, PackageX, ShieldX, type LucideIcon } from "lucide-react";
import { useTranslation } from "react-i18next";
import { EmptyState, ErrorState } from "@/components/ui/states";
import { msg } from "@/i18n";

export const NotFoundPage = () => (
  <NoPage icon={Compass} title={msg("Page not found")} text={msg("There is no page at this address.")} />
);

export const ForbiddenPage = () => (
  <NoPage
    icon={ShieldX}
    title={msg("You may not see this page")}
    text={msg("Your role has no access to it. An administrator can change that.")}
  />
);

export const NotInstalledPage = () => (
  <NoPage
    icon={PackageX}
    title={msg("Not part of this installation")}
    text={msg("The backend that runs here does not offer this. A newer version of the platform does.")}
  />
);

function NoPage({ icon, title, text }: { icon: LucideIcon; title: string; text: string }) {
  const { t } = useTranslation();
  return (
    <div className="grid min-h-[60vh] place-items-center">
      <EmptyState level="h1" icon={icon} title={t(title)} action={<HomeLink />}>
        {t(text)}
      </EmptyState>
    </div>
  );
}

function HomeLink() {
  const { t } = useTranslation();
  return (
    <Link to="/" className="inline-flex h-9 items-center rounded-lg border border-line bg-surface px-3.5 hover:bg-raised">
      {t("Go to the dashboard")}
    </Link>
  );
}

/** Error boundary of every route. */
export function ErrorPage({ error, reset }: ErrorComponentProps) {
  return (
    <main className="grid min-h-[60vh] place-items-center">
      <ErrorState level="h1" error={error} onRetry={reset} />
    </main>
  );
}
