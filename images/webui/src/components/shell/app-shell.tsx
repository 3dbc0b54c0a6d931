import { useSuspenseQuery } from "@tanstack/react-query";
import { Outlet } from "@tanstack/react-router";
import { Menu } from "lucide-react";
import { useState } from "react";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { configQuery, useUser } from "@/features/auth/session";
import { useStoredFlag } from "@/lib/use-stored-state";
import { Drawer } from "./drawer";
import { Sidebar } from "./sidebar";
import { UserMenu } from "./user-menu";

/** Sidebar, header and the page; what every signed-in page stands in. */
export function AppShell() {
  const user = useUser();
  const { data: config } = useSuspenseQuery(configQuery);
  const [collapsed, setCollapsed] = useStoredFlag(`triptych.sidebar.collapsed.${user.id}`, false);
  const [drawerOpen, setDrawerOpen] = useState(false);
  return (
    <div className="flex min-h-dvh">
      <a
        href="#content"
        className="sr-only z-50 rounded-lg bg-gold px-4 py-2 font-medium text-on-gold focus:not-sr-only focus:fixed focus:top-3 focus:left-3"
      >
        Skip to content
      </a>
      <Sidebar role={user.role} collapsed={collapsed} onToggle={() => setCollapsed(!collapsed)} />
      <Drawer role={user.role} open={drawerOpen} onOpenChange={setDrawerOpen} />
      <div className="flex min-w-0 flex-1 flex-col">
        <header className="sticky top-0 z-30 flex h-14 shrink-0 items-center gap-3 border-b border-line bg-page/90 px-4 backdrop-blur-sm sm:px-6">
          <Button
            variant="ghost"
            size="icon"
            className="-ml-2 lg:hidden"
            aria-label="Open navigation"
            onClick={() => setDrawerOpen(true)}
          >
            <Menu aria-hidden />
          </Button>
          <span className="ml-auto">
            <Badge tone={config.environment === "production" ? "gold" : "idle"}>{config.environment}</Badge>
          </span>
          <UserMenu user={user} />
        </header>
        <main id="content" tabIndex={-1} className="mx-auto w-full max-w-7xl flex-1 px-4 py-6 outline-none sm:px-6 lg:py-8">
          <Outlet />
        </main>
      </div>
    </div>
  );
}
