import { useNavigate, useSearch } from "@tanstack/react-router";
import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";

export interface Tab {
  id: string;
  label: string;
  /** Drawn, and what it needs loaded, only while the tab is chosen. */
  render: () => ReactNode;
}

/** Underlined tabs: arrow keys move, and the chosen one is `?tab=` of the URL. */
export function Tabs({ label, tabs }: { label: string; tabs: readonly Tab[] }) {
  const { tab: wanted } = useSearch({ strict: false });
  const navigate = useNavigate();
  const first = tabs[0];
  if (!first) return null;
  const chosen = tabs.find(({ id }) => id === wanted) ?? first;
  // Another tab has another table: what the URL says of the present one ends with it.
  const choose = (id: string) => void navigate({ to: ".", search: id === first.id ? {} : { tab: id }, replace: true });
  return (
    <Radix.Root value={chosen.id} onValueChange={choose}>
      <Radix.List aria-label={label} className="mb-6 flex gap-1 overflow-x-auto overflow-y-hidden border-b border-line">
        {tabs.map(({ id, label: text }) => (
          <Radix.Trigger
            key={id}
            value={id}
            className="-mb-px border-b-2 border-transparent px-3.5 py-2.5 whitespace-nowrap text-muted hover:text-ink focus-visible:-outline-offset-2 data-[state=active]:border-gold data-[state=active]:font-medium data-[state=active]:text-gold"
          >
            {text}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {tabs.map(({ id, render }) => (
        <Radix.Content key={id} value={id} className="outline-none focus-visible:outline-2">
          {id === chosen.id && render()}
        </Radix.Content>
      ))}
    </Radix.Root>
  );
}
