import { clsx } from "clsx";
import type { ComponentProps } from "react";

const VARIANTS = {
  primary: "bg-gold text-on-gold hover:bg-gold-strong font-semibold",
  secondary: "border border-line bg-surface text-ink hover:bg-raised",
  ghost: "text-muted hover:bg-raised hover:text-ink",
  danger: "bg-bad text-on-bad hover:brightness-110 font-semibold",
};

export interface ButtonProps extends ComponentProps<"button"> {
  variant?: keyof typeof VARIANTS;
  size?: "normal" | "icon";
}

export function Button({ variant = "secondary", size = "normal", className, type = "button", ...props }: ButtonProps) {
  const shape = size === "icon" ? "size-9 justify-center" : "h-9 justify-center px-3.5";
  return (
    <button
      type={type}
      className={clsx(
        "inline-flex items-center gap-2 rounded-lg text-sm whitespace-nowrap transition-colors disabled:opacity-50",
        "[&_svg]:size-4 [&_svg]:shrink-0",
        shape,
        VARIANTS[variant],
        className,
      )}
      {...props}
    />
  );
}
