import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { ChevronDown, PanelLeftClose, PanelLeftOpen } from "lucide-react";
import { useId } from "react";
import { useTranslation } from "react-i18next";
import { Logo } from "@/components/logo";
import { Button } from "@/components/ui/button";
import { useAccess } from "@/features/access/permissions";
import { useUser } from "@/features/auth/session";
import { useStoredSet } from "@/lib/use-stored-state";
import { navigationFor, type NavigationGroup, type NavigationItem } from "./navigation";

interface SidebarProps {
  collapsed: boolean;
  onToggle: () => void;
}

/** The sidebar of wide screens: full, or a rail of icons. */
export function Sidebar({ collapsed, onToggle }: SidebarProps) {
  const { t } = useTranslation();
  const ToggleIcon = collapsed ? PanelLeftOpen : PanelLeftClose;
  return (
    <aside
      aria-label={t("Sidebar")}
      className={clsx(
        "sticky top-0 hidden h-dvh shrink-0 flex-col border-r border-line bg-surface transition-[width] duration-200 lg:flex",
        collapsed ? "w-16" : "w-60",
      )}
    >
      <Brand collapsed={collapsed} />
      <Navigation collapsed={collapsed} />
      <div className={clsx("mt-auto border-t border-line p-3", collapsed && "flex justify-center")}>
        <Button
          variant="ghost"
          size={collapsed ? "icon" : "normal"}
          className={collapsed ? undefined : "w-full justify-start px-2.5"}
          aria-label={collapsed ? t("Expand sidebar") : t("Collapse sidebar")}
          aria-expanded={!collapsed}
          onClick={onToggle}
        >
          <ToggleIcon aria-hidden />
          {!collapsed && t("Collapse")}
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
  collapsed?: boolean;
  onNavigate?: () => void;
}

/** Every page that the user may see, in categories that fold; which are folded is kept per user. */
export function Navigation({ collapsed = false, onNavigate }: NavigationProps) {
  const { t } = useTranslation();
  const access = useAccess();
  const [folded, toggle] = useStoredSet(`triptych.sidebar.folded.${useUser().id}`);
  return (
    <nav aria-label={t("Main")} className={clsx("overflow-y-auto p-3", collapsed ? "space-y-2" : "space-y-4")}>
      {navigationFor(access).map((group) => (
        <Category
          key={group.id}
          group={group}
          rail={collapsed}
          open={collapsed || !folded.has(group.id)}
          onToggle={() => toggle(group.id)}
          onNavigate={onNavigate}
        />
      ))}
    </nav>
  );
}

interface CategoryProps {
  group: NavigationGroup;
  rail: boolean;
  open: boolean;
  onToggle: () => void;
  onNavigate?: () => void;
}

function Category({ group, rail, open, onToggle, onNavigate }: CategoryProps) {
  const { t } = useTranslation();
  const id = useId();
  return (
    <div role="group" aria-label={t(group.label)} className={clsx(rail && "border-line not-last:border-b not-last:pb-2")}>
      {!rail && (
        <button
          type="button"
          aria-expanded={open}
          aria-controls={id}
          onClick={onToggle}
          className="mb-1 flex w-full items-center justify-between rounded-md px-2.5 py-1 text-xs font-medium text-muted hover:bg-raised hover:text-ink"
        >
          {t(group.label)}
          <ChevronDown aria-hidden className={clsx("size-3.5 transition-transform", !open && "-rotate-90")} />
        </button>
      )}
      <ul id={id} hidden={!open} className="space-y-1">
        {group.items.map((item) => (
          <li key={item.to}>
            <Entry item={item} rail={rail} onNavigate={onNavigate} />
          </li>
        ))}
      </ul>
    </div>
  );
}

interface EntryProps {
  item: NavigationItem;
  rail: boolean;
  onNavigate?: () => void;
}

function Entry({ item: { label, to, icon: Icon }, rail, onNavigate }: EntryProps) {
  const { t } = useTranslation();
  const text = t(label);
  return (
    <Link
      to={to}
      onClick={onNavigate}
      title={rail ? text : undefined}
      aria-label={rail ? text : undefined}
      activeOptions={{ exact: to === "/", includeSearch: false }}
      className={clsx("flex h-9 items-center gap-3 rounded-lg", rail ? "justify-center" : "px-2.5")}
      activeProps={{ className: "bg-gold/10 font-medium text-gold" }}
      inactiveProps={{ className: "text-ink hover:bg-raised" }}
    >
      <Icon aria-hidden className="size-4.5 shrink-0" />
      {!rail && text}
    </Link>
  );
}
