import { clsx } from "clsx";
import { CircleAlert, RotateCw, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError } from "@/api/problem";
import { Button } from "./button";

export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={clsx("animate-pulse rounded-md bg-raised", className)} />;
}

interface EmptyStateProps {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

export function EmptyState({ icon: Icon, title, children, action }: EmptyStateProps) {
  return (
    <div className="flex flex-col items-center px-6 py-12 text-center">
      <span className="mb-4 rounded-full bg-raised p-3 text-gold">
        <Icon aria-hidden className="size-6" />
      </span>
      <h3 className="font-medium text-ink">{title}</h3>
      {children && <p className="mt-1 max-w-md text-muted">{children}</p>}
      {action && <div className="mt-5">{action}</div>}
    </div>
  );
}

/** What went wrong, the request id to look it up in the logs, and a way to try again. */
export function ErrorState({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  return (
    <div role="alert" className="flex flex-col items-center px-6 py-12 text-center">
      <span className="mb-4 rounded-full bg-bad/10 p-3 text-bad">
        <CircleAlert aria-hidden className="size-6" />
      </span>
      <h3 className="font-medium text-ink">{messageOf(error)}</h3>
      <RequestId error={error} />
      {onRetry && (
        <Button className="mt-5" onClick={onRetry}>
          <RotateCw aria-hidden /> Try again
        </Button>
      )}
    </div>
  );
}

export function ErrorBanner({ error, children }: { error: unknown; children?: ReactNode }) {
  return (
    <div role="alert" className="flex gap-3 rounded-lg border border-bad/40 bg-bad/10 p-3 text-ink">
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
      <div className="min-w-0">
        <p>{children ?? messageOf(error)}</p>
        <RequestId error={error} />
      </div>
    </div>
  );
}

function RequestId({ error }: { error: unknown }) {
  if (!(error instanceof ApiError) || !error.requestId) return null;
  return (
    <p className="mt-1 text-xs break-all text-muted">
      Request id <code className="select-all">{error.requestId}</code>
    </p>
  );
}

export function messageOf(error: unknown): string {
  return error instanceof ApiError ? error.message : "Something went wrong on this page.";
}
