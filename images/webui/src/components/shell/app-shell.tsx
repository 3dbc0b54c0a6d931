import { useSuspenseQuery } from "@tanstack/react-query";
import { Outlet } from "@tanstack/react-router";
import { Menu, Search } from "lucide-react";
import { lazy, Suspense, useLayoutEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { configQuery, useUser } from "@/features/auth/session";
import { SessionEnded } from "@/features/auth/session-ended";
import { useStoredFlag } from "@/lib/use-stored-state";
import { Breadcrumb } from "./breadcrumb";
import { Drawer } from "./drawer";
import { Sidebar } from "./sidebar";
import { UserMenu } from "./user-menu";

const CommandPalette = lazy(() => import("./command-palette"));

/** Sidebar, header and the page; what every signed-in page stands in. */
export function AppShell() {
  const { t } = useTranslation();
  const user = useUser();
  const { data: config } = useSuspenseQuery(configQuery);
  const [collapsed, setCollapsed] = useStoredFlag(`triptych.sidebar.collapsed.${user.id}`, false);
  const [drawerOpen, setDrawerOpen] = useState(false);
  const [paletteOpen, setPaletteOpen] = usePaletteShortcut();
  return (
    <div className="flex min-h-dvh">
      <a
        href="#content"
        className="sr-only z-50 rounded-lg bg-gold px-4 py-2 font-medium text-on-gold focus:not-sr-only focus:fixed focus:top-3 focus:left-3"
      >
        {t("Skip to content")}
      </a>
      <Sidebar collapsed={collapsed} onToggle={() => setCollapsed(!collapsed)} />
      <Drawer open={drawerOpen} onOpenChange={setDrawerOpen} />
      <div className="flex min-w-0 flex-1 flex-col">
        <header className="sticky top-0 z-30 flex h-14 shrink-0 items-center gap-3 border-b border-line bg-page px-4 sm:px-6">
          <Button
            variant="ghost"
            size="icon"
            className="-ml-2 lg:hidden"
            aria-label={t("Open navigation")}
            onClick={() => setDrawerOpen(true)}
          >
            <Menu aria-hidden />
          </Button>
          <Breadcrumb />
          <div className="ml-auto flex items-center gap-3">
            <Button className="text-muted" aria-keyshortcuts="Control+K" aria-label={t("Command palette")} onClick={() => setPaletteOpen(true)}>
              <Search aria-hidden />
              <kbd className="hidden text-xs sm:inline">{t("Ctrl K")}</kbd>
            </Button>
            <span className="hidden sm:block">
              <Badge tone={config.environment === "production" ? "gold" : "idle"}>{config.environment}</Badge>
            </span>
            <UserMenu user={user} />
          </div>
        </header>
        <main id="content" tabIndex={-1} className="mx-auto w-full max-w-7xl flex-1 px-4 py-6 outline-none sm:px-6 lg:py-8">
          <Outlet />
        </main>
      </div>
      <SessionEnded />
      <Suspense>{paletteOpen && <CommandPalette onClose={() => setPaletteOpen(false)} />}</Suspense>
    </div>
  );
}

/** Whether the palette is open; Ctrl-K (or Command-K) opens and closes it everywhere. */
function usePaletteShortcut() {
  const state = useState(false);
  const [, setOpen] = state;
  // Before the paint: who sees the page can use its keys.
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      setOpen((open) => !open);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [setOpen]);
  return state;
}
