import type { ReactNode } from "react";

interface SelectProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** Options. */
  children: ReactNode;
}

/** A choice in a row of filters, its label for screen readers only; forms use `SelectField`. */
export function Select({ label, value, onChange, children }: SelectProps) {
  return (
    <select
      aria-label={label}
      className="h-10 rounded-lg border border-line bg-surface px-3 hover:border-idle"
      value={value}
      onChange={(event) => onChange(event.target.value)}
    >
      {children}
    </select>
  );
}
