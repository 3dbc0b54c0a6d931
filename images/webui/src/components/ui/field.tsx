import { clsx } from "clsx";
import { useId, type ComponentProps, type ReactNode } from "react";

interface FieldProps {
  label: string;
  error?: string;
  hint?: string;
}

const CONTROL =
  "h-10 w-full rounded-lg border bg-page px-3 text-ink placeholder:text-muted transition-colors " +
  "hover:border-idle focus:border-gold focus:outline-none focus-visible:outline-none";

/** A labelled text input with its hint and error read out with it. */
export function TextField({ label, error, hint, className, ...props }: FieldProps & ComponentProps<"input">) {
  return (
    <FieldFrame label={label} error={error} hint={hint}>
      {(control) => <input {...props} {...control} className={clsx(control.className, className)} />}
    </FieldFrame>
  );
}

export function TextAreaField({ label, error, hint, ...props }: FieldProps & ComponentProps<"textarea">) {
  return (
    <FieldFrame label={label} error={error} hint={hint}>
      {(control) => <textarea {...props} {...control} className={clsx(control.className, "h-auto py-2")} />}
    </FieldFrame>
  );
}

export function SelectField({ label, error, hint, children, ...props }: FieldProps & ComponentProps<"select">) {
  return (
    <FieldFrame label={label} error={error} hint={hint}>
      {(control) => (
        <select {...props} {...control}>
          {children}
        </select>
      )}
    </FieldFrame>
  );
}

/** A checkbox with its label beside it. */
export function CheckField({ label, ...props }: { label: string } & ComponentProps<"input">) {
  return (
    <label className="flex items-center gap-2.5">
      <input type="checkbox" {...props} className="size-4 shrink-0 accent-gold" />
      {label}
    </label>
  );
}

interface ControlProps {
  id: string;
  className: string;
  "aria-invalid": boolean;
  "aria-describedby": string | undefined;
}

function FieldFrame({ label, error, hint, children }: FieldProps & { children: (props: ControlProps) => ReactNode }) {
  const id = useId();
  const note = error ?? hint;
  return (
    <div className="space-y-1.5">
      <label htmlFor={id} className="block text-sm font-medium text-ink">
        {label}
      </label>
      {children({
        id,
        className: clsx(CONTROL, error ? "border-bad" : "border-line"),
        "aria-invalid": error !== undefined,
        "aria-describedby": note ? `${id}-note` : undefined,
      })}
      {note && (
        <p id={`${id}-note`} className={clsx("text-xs", error ? "text-bad" : "text-muted")}>
          {note}
        </p>
      )}
    </div>
  );
}
