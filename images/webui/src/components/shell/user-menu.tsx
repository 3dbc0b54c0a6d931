import { useNavigate } from "@tanstack/react-router";
import { ChevronDown, CircleUser, LogOut, Moon, type LucideIcon } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { useTranslation } from "react-i18next";
import type { SessionUser } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { useLogout } from "@/features/auth/session";

export function UserMenu({ user }: { user: SessionUser }) {
  const { t } = useTranslation();
  const logout = useLogout();
  const navigate = useNavigate();
  const name = user.full_name || user.email;
  return (
    // Not modal: the page behind stays scrollable, and no style element is needed to lock it. No portal: it is part
    // of the header, a landmark.
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger
        aria-label={t("User menu of {{name}}", { name })}
        className="group flex h-9 items-center gap-2.5 rounded-lg pr-2 pl-1 hover:bg-raised"
      >
        <span aria-hidden className="grid size-7 shrink-0 place-items-center rounded-full bg-gold text-xs font-semibold text-on-gold">
          {initials(name)}
        </span>
        <span className="hidden max-w-48 truncate sm:block">{name}</span>
        <ChevronDown aria-hidden className="size-4 text-muted transition-transform group-data-[state=open]:rotate-180" />
      </DropdownMenu.Trigger>
      <DropdownMenu.Content
        align="end"
        sideOffset={8}
        className="z-50 min-w-60 rounded-xl border border-line bg-surface p-1.5 shadow-xl shadow-black/40"
      >
        <DropdownMenu.Label className="space-y-1.5 px-2.5 pt-1.5 pb-2.5">
          <p className="max-w-72 truncate font-medium">{name}</p>
          <p className="max-w-72 truncate text-xs text-muted">{user.email}</p>
          <Badge tone="gold">{user.role}</Badge>
        </DropdownMenu.Label>
        <DropdownMenu.Separator className="-mx-1.5 mb-1.5 h-px bg-line" />
        <Item icon={CircleUser} label={t("Profile")} onSelect={() => void navigate({ to: "/profile" })} />
        <Item
          icon={Moon}
          label={t("Theme and language")}
          onSelect={() => void navigate({ to: "/profile", search: { tab: "appearance" } })}
        />
        <Item icon={LogOut} label={t("Sign out")} onSelect={() => logout.mutate()} />
      </DropdownMenu.Content>
    </DropdownMenu.Root>
  );
}

function Item({ icon: Icon, label, onSelect }: { icon: LucideIcon; label: string; onSelect: () => void }) {
  return (
    <DropdownMenu.Item
      onSelect={onSelect}
      className="flex cursor-pointer items-center gap-2.5 rounded-lg px-2.5 py-2 outline-none data-highlighted:bg-raised data-highlighted:text-gold"
    >
      <Icon aria-hidden className="size-4" />
      {label}
    </DropdownMenu.Item>
  );
}

function initials(name: string): string {
  const words = name.split(/[\s@.]+/).filter(Boolean);
  return words
    .slice(0, 2)
    .map((word) => word.charAt(0).toUpperCase())
    .join("");
}
