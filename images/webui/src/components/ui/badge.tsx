import { clsx } from "clsx";
import type { ReactNode } from "react";

const TONES = {
  good: "bg-good/10 text-good ring-good/25",
  bad: "bg-bad/10 text-bad ring-bad/25",
  gold: "bg-gold/10 text-gold ring-gold/25",
  idle: "bg-idle/15 text-muted ring-idle/30",
};

export type Tone = keyof typeof TONES;

export function Badge({ tone, dot = false, children }: { tone: Tone; dot?: boolean; children: ReactNode }) {
  return (
    <span
      className={clsx(
        "inline-flex items-center gap-1.5 rounded-full px-2 py-0.5 text-xs font-medium whitespace-nowrap ring-1 ring-inset",
        TONES[tone],
      )}
    >
      {dot && <span aria-hidden className="size-1.5 rounded-full bg-current" />}
      {children}
    </span>
  );
}
