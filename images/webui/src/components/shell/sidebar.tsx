import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { PanelLeftClose, PanelLeftOpen } from "lucide-react";
import type { Role } from "@/api/types";
import { Logo } from "@/components/logo";
import { Button } from "@/components/ui/button";
import { navigationFor, type NavigationItem } from "./navigation";

interface SidebarProps {
  role: Role;
  collapsed: boolean;
  onToggle: () => void;
}

/** The sidebar of wide screens: full, or a rail of icons. */
export function Sidebar({ role, collapsed, onToggle }: SidebarProps) {
  const ToggleIcon = collapsed ? PanelLeftOpen : PanelLeftClose;
  return (
    <aside
      className={clsx(
        "sticky top-0 hidden h-dvh shrink-0 flex-col border-r border-line bg-surface transition-[width] duration-200 lg:flex",
        collapsed ? "w-16" : "w-60",
      )}
    >
      <Brand collapsed={collapsed} />
      <Navigation role={role} collapsed={collapsed} />
      <div className={clsx("mt-auto border-t border-line p-3", collapsed && "flex justify-center")}>
        <Button
          variant="ghost"
          size={collapsed ? "icon" : "normal"}
          className={collapsed ? undefined : "w-full justify-start px-2.5"}
          aria-label={collapsed ? "Expand sidebar" : "Collapse sidebar"}
          aria-expanded={!collapsed}
          onClick={onToggle}
        >
          <ToggleIcon aria-hidden />
          {!collapsed && "Collapse"}
        </Button>
      </div>
    </aside>
  );
}

export function Brand({ collapsed = false }: { collapsed?: boolean }) {
  return (
    <div className={clsx("flex h-14 shrink-0 items-center gap-2.5 border-b border-line", collapsed ? "justify-center" : "px-5")}>
      <Logo className="size-6 shrink-0" />
      {!collapsed && <span className="text-base font-semibold tracking-tight text-gold">Triptych</span>}
    </div>
  );
}

interface NavigationProps {
  role: Role;
  collapsed?: boolean;
  onNavigate?: () => void;
}

export function Navigation({ role, collapsed = false, onNavigate }: NavigationProps) {
  return (
    <nav aria-label="Main" className="space-y-5 overflow-y-auto p-3">
      {navigationFor(role).map((group) => (
        <div key={group.label} role="group" aria-label={group.label}>
          {!collapsed && (
            <p aria-hidden className="px-2.5 pb-1.5 text-xs font-medium text-muted">
              {group.label}
            </p>
          )}
          <ul className="space-y-1">
            {group.items.map((item) => (
              <li key={item.to}>
                <Entry item={item} collapsed={collapsed} onNavigate={onNavigate} />
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}

interface EntryProps {
  item: NavigationItem;
  collapsed: boolean;
  onNavigate?: () => void;
}

function Entry({ item: { label, to, icon: Icon }, collapsed, onNavigate }: EntryProps) {
  return (
    <Link
      to={to}
      onClick={onNavigate}
      title={collapsed ? label : undefined}
      aria-label={collapsed ? label : undefined}
      activeOptions={{ exact: to === "/" }}
      className={clsx("flex h-9 items-center gap-3 rounded-lg", collapsed ? "justify-center" : "px-2.5")}
      activeProps={{ className: "bg-gold/10 font-medium text-gold" }}
      inactiveProps={{ className: "text-ink hover:bg-raised" }}
    >
      <Icon aria-hidden className="size-4.5 shrink-0" />
      {!collapsed && label}
    </Link>
  );
}
