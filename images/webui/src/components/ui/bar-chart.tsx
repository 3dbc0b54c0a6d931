import { useId } from "react";
import { Card } from "./card";

interface Bar {
  label: string;
  value: number;
  /** The value as it is read. */
  text: string;
}

/** Horizontal bars of a list, longest possible for the greatest value; a list to screen readers. */
export function BarChart({ title, bars, empty }: { title: string; bars: readonly Bar[]; empty: string }) {
  const id = useId();
  const greatest = Math.max(...bars.map(({ value }) => value), 1);
  return (
    <Card aria-labelledby={id} className="p-5">
      <h3 id={id} className="mb-3 font-medium">
        {title}
      </h3>
      {bars.length === 0 && <p className="text-muted">{empty}</p>}
      <ul className="space-y-2.5">
        {bars.map(({ label, value, text }) => (
          <li key={label}>
            <div className="flex justify-between gap-4 text-xs">
              <span className="min-w-0 wrap-anywhere">{label}</span>
              <span className="whitespace-nowrap text-muted tabular-nums">{text}</span>
            </div>
            <svg aria-hidden className="mt-1 h-2 w-full" preserveAspectRatio="none" viewBox="0 0 100 1">
              <rect width="100" height="1" className="fill-raised" />
              <rect width={(100 * value) / greatest} height="1" className="fill-gold" />
            </svg>
          </li>
        ))}
      </ul>
    </Card>
  );
}
