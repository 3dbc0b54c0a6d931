import {
  Activity,
  CircleUser,
  Cpu,
  Inbox,
  Info,
  LayoutDashboard,
  ListChecks,
  ScrollText,
  ShieldCheck,
  ShieldHalf,
  Users,
  Webhook,
  type LucideIcon,
} from "lucide-react";
import type { Access } from "@/features/access/permissions";
import { msg } from "@/i18n";

export interface NavigationItem {
  label: string;
  to: "/" | "/system" | "/guard" | "/ingest" | "/integrations" | "/jobs" | "/users" | "/roles" | "/audit" | "/profile" | "/about";
  icon: LucideIcon;
  /** The operation of the permission document that the page cannot do without. */
  operation: string;
}

export interface NavigationGroup {
  id: string;
  label: string;
  icon: LucideIcon;
  items: readonly NavigationItem[];
}

export const NAVIGATION: readonly NavigationGroup[] = [
  {
    id: "platform",
    label: msg("Platform"),
    icon: Activity,
    items: [
      { label: msg("Dashboard"), to: "/", icon: LayoutDashboard, operation: "status.get_status" },
      { label: msg("System"), to: "/system", icon: Cpu, operation: "status.get_status" },
    ],
  },
  {
    id: "traffic",
    label: msg("Traffic"),
    icon: ShieldHalf,
    items: [
      { label: msg("Network guard"), to: "/guard", icon: ShieldHalf, operation: "guard.list_rules" },
      { label: msg("Ingest"), to: "/ingest", icon: Inbox, operation: "ingest.list_streams" },
    ],
  },
  {
    id: "integrations",
    label: msg("Integration"),
    icon: Webhook,
    items: [
      { label: msg("Webhooks"), to: "/integrations", icon: Webhook, operation: "webhooks.list_webhooks" },
      { label: msg("Jobs"), to: "/jobs", icon: ListChecks, operation: "jobs.list_jobs" },
    ],
  },
  {
    id: "administration",
    label: msg("Administration"),
    icon: Users,
    items: [
      { label: msg("Users"), to: "/users", icon: Users, operation: "users.list_users" },
      { label: msg("Roles"), to: "/roles", icon: ShieldCheck, operation: "permissions.get_permissions" },
      { label: msg("Audit log"), to: "/audit", icon: ScrollText, operation: "audit.list_events" },
    ],
  },
  {
    id: "account",
    label: msg("Account"),
    icon: CircleUser,
    items: [
      { label: msg("Profile"), to: "/profile", icon: CircleUser, operation: "auth.me" },
      { label: msg("About"), to: "/about", icon: Info, operation: "auth.me" },
    ],
  },
];

/** The groups and entries somebody may use; a group with nothing in it is left out. */
export function navigationFor(access: Access): NavigationGroup[] {
  return NAVIGATION.map((group) => ({ ...group, items: group.items.filter((item) => access.may(item.operation)) })).filter(
    (group) => group.items.length > 0,
  );
}
