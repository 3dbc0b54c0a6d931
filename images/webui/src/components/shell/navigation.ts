import { LayoutDashboard, Users, type LucideIcon } from "lucide-react";
import type { Role } from "@/api/types";

export interface NavigationItem {
  label: string;
  to: "/" | "/users";
  icon: LucideIcon;
  /** Who sees it; the backend enforces the same. */
  roles: readonly Role[];
}

export interface NavigationGroup {
  label: string;
  items: readonly NavigationItem[];
}

const EVERYBODY: readonly Role[] = ["admin", "maintainer", "viewer"];

const NAVIGATION: readonly NavigationGroup[] = [
  { label: "Platform", items: [{ label: "Dashboard", to: "/", icon: LayoutDashboard, roles: EVERYBODY }] },
  { label: "Administration", items: [{ label: "Users", to: "/users", icon: Users, roles: ["admin"] }] },
];

/** The groups and entries a role sees; a group with nothing in it is left out. */
export function navigationFor(role: Role): NavigationGroup[] {
  return NAVIGATION.map((group) => ({ ...group, items: group.items.filter((item) => item.roles.includes(role)) })).filter(
    (group) => group.items.length > 0,
  );
}
