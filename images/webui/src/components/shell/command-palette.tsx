import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { Contrast, Languages, LogOut, Moon, Search, Sun, type LucideIcon } from "lucide-react";
import { Dialog } from "radix-ui";
import { useTranslation } from "react-i18next";
import { useFocusReturn } from "@/components/ui/focus-return";
import { useAccess } from "@/features/access/permissions";
import { useLogout } from "@/features/auth/session";
import { LANGUAGES, msg, setLanguage, type Language } from "@/i18n";
import { setTheme, THEMES, type Theme } from "@/lib/theme";
import { navigationFor } from "./navigation";

const THEME_ENTRIES: Record<Theme, { label: string; icon: LucideIcon }> = {
  dark: { label: msg("Dark theme"), icon: Moon },
  light: { label: msg("Light theme"), icon: Sun },
  contrast: { label: msg("High-contrast theme"), icon: Contrast },
};

/** Every page and command, found by typing. */
export default function CommandPalette({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const focusReturn = useFocusReturn();
  const groups = navigationFor(useAccess());
  const navigate = useNavigate();
  const logout = useLogout();
  const run = (action: () => unknown) => () => {
    onClose();
    void action();
  };
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-page/80 backdrop-blur-xs" />
        <Dialog.Content
          {...focusReturn}
          aria-describedby={undefined}
          className="fixed top-[12vh] left-1/2 z-50 w-[calc(100vw-2rem)] max-w-lg -translate-x-1/2 overflow-hidden rounded-xl border border-line bg-surface shadow-2xl shadow-black/50 focus:outline-none"
        >
          <Dialog.Title className="sr-only">{t("Command palette")}</Dialog.Title>
          <Command label={t("Command palette")} loop>
            <div className="flex items-center gap-3 border-b border-line px-4">
              <Search aria-hidden className="size-4 text-muted" />
              <Command.Input
                placeholder={t("Go to a page or run a command")}
                className="h-12 w-full bg-transparent outline-none placeholder:text-muted focus-visible:outline-none"
              />
            </div>
            <Command.List label={t("Commands")} className="max-h-[50vh] overflow-y-auto p-2">
              <Command.Empty className="px-3 py-6 text-center text-muted">{t("Nothing matches.")}</Command.Empty>
              {groups.map((group) => (
                <Command.Group key={group.id} heading={t(group.label)} className={GROUP}>
                  {group.items.map(({ to, label, icon }) => (
                    <Entry key={to} icon={icon} label={t(label)} onSelect={run(() => navigate({ to }))} />
                  ))}
                </Command.Group>
              ))}
              <Command.Group heading={t("Appearance")} className={GROUP}>
                {THEMES.map((theme) => (
                  <Entry
                    key={theme}
                    icon={THEME_ENTRIES[theme].icon}
                    label={t(THEME_ENTRIES[theme].label)}
                    onSelect={run(() => setTheme(theme))}
                  />
                ))}
                {Object.entries(LANGUAGES).map(([tag, name]) => (
                  <Entry key={tag} icon={Languages} label={name} onSelect={run(() => setLanguage(tag as Language))} />
                ))}
              </Command.Group>
              <Command.Group heading={t("Session")} className={GROUP}>
                <Entry icon={LogOut} label={t("Sign out")} onSelect={run(() => logout.mutate())} />
              </Command.Group>
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

const GROUP = "[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-muted";

function Entry({ icon: Icon, label, onSelect }: { icon: LucideIcon; label: string; onSelect: () => void }) {
  return (
    <Command.Item
      onSelect={onSelect}
      className="flex cursor-pointer items-center gap-3 rounded-lg px-2.5 py-2 data-[selected=true]:bg-raised data-[selected=true]:text-gold"
    >
      <Icon aria-hidden className="size-4" />
      {label}
    </Command.Item>
  );
}
