import { clsx } from "clsx";
import { CircleAlert, RotateCw, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/problem";
import { msg } from "@/i18n";
import { Button } from "./button";

export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={clsx("animate-pulse rounded-md bg-raised", className)} />;
}

/** The heading's level: `h1` where the state is the page, `h3` in a section that has a heading. */
type Level = "h1" | "h2" | "h3";

interface EmptyStateProps {
  icon: LucideIcon;
  title: string;
  level?: Level;
  children?: ReactNode;
  action?: ReactNode;
}

export function EmptyState({ icon: Icon, title, level: Heading = "h2", children, action }: EmptyStateProps) {
  return (
    <div className="flex flex-col items-center px-6 py-12 text-center">
      <span className="mb-4 rounded-full bg-raised p-3 text-gold">
        <Icon aria-hidden className="size-6" />
      </span>
      <Heading className="font-medium text-ink">{title}</Heading>
      {children && <p className="mt-1 max-w-md text-muted">{children}</p>}
      {action && <div className="mt-5">{action}</div>}
    </div>
  );
}

interface ErrorStateProps {
  error: unknown;
  level?: Level;
  onRetry?: () => void;
}

/** What went wrong, the request id to look it up in the logs, and a way to try again. */
export function ErrorState({ error, level: Heading = "h2", onRetry }: ErrorStateProps) {
  const { t } = useTranslation();
  return (
    <div role="alert" className="flex flex-col items-center px-6 py-12 text-center">
      <span className="mb-4 rounded-full bg-bad/10 p-3 text-bad">
        <CircleAlert aria-hidden className="size-6" />
      </span>
      <Heading className="max-w-lg font-medium wrap-anywhere text-ink">{useMessage(error)}</Heading>
      <RequestId error={error} />
      {onRetry && (
        <Button className="mt-5" onClick={onRetry}>
          <RotateCw aria-hidden /> {t("Try again")}
        </Button>
      )}
    </div>
  );
}

export function ErrorBanner({ error, children }: { error: unknown; children?: ReactNode }) {
  const message = useMessage(error);
  return (
    <div role="alert" className="flex gap-3 rounded-lg border border-bad/40 bg-bad/10 p-3 text-ink">
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
      <div className="min-w-0 wrap-anywhere">
        <p>{children ?? message}</p>
        <RequestId error={error} />
      </div>
    </div>
  );
}

function RequestId({ error }: { error: unknown }) {
  const { t } = useTranslation();
  if (!(error instanceof ApiError) || !error.requestId) return null;
  return (
    <p className="mt-1 text-xs break-all text-muted">
      {t("Request id")} <code className="select-all">{error.requestId}</code>
    </p>
  );
}

/** Texts of this page's own for what the reader can do something about; else the server's words. */
const MESSAGES: Partial<Record<number, string>> = {
  0: msg("The server cannot be reached. Check your connection and try again."),
  401: msg("Your session has ended. Sign in again."),
  412: msg("Somebody else has changed this in the meantime."),
};

/** What to tell about an error: never its stack, nor the words of an unexpected one. */
export function useMessage(error: unknown): string {
  const { t } = useTranslation();
  if (!(error instanceof ApiError)) return t("Something went wrong on this page.");
  if (error.status === 429 && error.retryAfter) return t("Too many requests. Try again in {{seconds}} seconds.", { seconds: error.retryAfter });
  const own = MESSAGES[error.status];
  return own ? t(own) : error.message;
}
