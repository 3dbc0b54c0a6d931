import type { ReactNode } from "react";
import { Card } from "./card";

/** Terms and their values, two to four beside each other. */
export function Facts({ label, facts }: { label: string; facts: readonly (readonly [term: string, value: ReactNode])[] }) {
  return (
    <Card aria-label={label}>
      <dl className="grid gap-x-6 gap-y-4 px-5 py-4 sm:grid-cols-2 lg:grid-cols-4">
        {facts.map(([term, value]) => (
          <div key={term} className="min-w-0">
            <dt className="text-xs text-muted">{term}</dt>
            <dd className="mt-0.5 font-medium wrap-anywhere">{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
