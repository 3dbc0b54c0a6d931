import { Link, type ErrorComponentProps } from "@tanstack/react-router";
import { Compass, ShieldX } from "lucide-react";
import { EmptyState, ErrorState } from "@/components/ui/states";

const HOME = (
  <Link to="/" className="inline-flex h-9 items-center rounded-lg border border-line bg-surface px-3.5 hover:bg-raised">
    Go to the dashboard
  </Link>
);

export function NotFoundPage() {
  return (
    <div className="grid min-h-[60vh] place-items-center">
      <EmptyState icon={Compass} title="Page not found" action={HOME}>
        There is no page at this address.
      </EmptyState>
    </div>
  );
}

export function ForbiddenPage() {
  return (
    <div className="grid min-h-[60vh] place-items-center">
      <EmptyState icon={ShieldX} title="You may not see this page" action={HOME}>
        Your role has no access to it. An administrator can change that.
      </EmptyState>
    </div>
  );
}

/** Error boundary of every route. */
export function ErrorPage({ error, reset }: ErrorComponentProps) {
  return (
    <div className="grid min-h-[60vh] place-items-center">
      <ErrorState error={error} onRetry={reset} />
    </div>
  );
}
