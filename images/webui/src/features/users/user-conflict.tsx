import { TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/problem";
import type { User } from "@/api/types";
import { msg } from "@/i18n";

const SHOWN = {
  email: msg("Email"),
  full_name: msg("Full name"),
  role: msg("Role"),
  tenant: msg("Tenant"),
  is_active: msg("State"),
} satisfies Partial<Record<keyof User, string>>;

/** A change was refused because somebody else's came first. */
export const isConflict = (error: unknown) => error instanceof ApiError && error.status === 412;

interface UserConflictProps {
  /** The user as it was when the dialog opened. */
  before: User;
  /** The user as it is now. */
  theirs: User;
  children: ReactNode;
}

/** What somebody else has changed in the meantime, and what that means for one's own change. */
export function UserConflict({ before, theirs, children }: UserConflictProps) {
  const { t } = useTranslation();
  const changed = (Object.keys(SHOWN) as (keyof typeof SHOWN)[]).filter((key) => before[key] !== theirs[key]);
  const textOf = (value: string | boolean) => (typeof value === "string" ? value : value ? t("Active") : t("Disabled"));
  return (
    <div role="alert" className="mb-4 flex gap-3 rounded-lg border border-gold/40 bg-gold/10 p-3">
      <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-gold" />
      <div className="min-w-0 space-y-2 wrap-anywhere">
        <p>{t("Somebody else has changed this in the meantime.")}</p>
        <ul>
          {changed.map((key) => (
            <li key={key}>
              {t(SHOWN[key])}: <s className="text-muted">{textOf(before[key])}</s> → <strong>{textOf(theirs[key])}</strong>
            </li>
          ))}
        </ul>
        <p>{children}</p>
      </div>
    </div>
  );
}
