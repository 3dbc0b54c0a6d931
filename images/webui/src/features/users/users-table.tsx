import { Pencil, Trash2, UserSearch } from "lucide-react";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { User } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { DataTable, type Column } from "@/components/ui/data-table";
import { EmptyState } from "@/components/ui/states";
import { useUser } from "@/features/auth/session";
import { formatTime } from "@/lib/format";
import { isSort, type UsersSearch } from "./search";
import { DEFAULT_TENANT } from "./tenant";

interface UsersTableProps {
  users: User[] | undefined;
  /** Shown rows are of the page before, while the next one loads. */
  stale: boolean;
  search: UsersSearch;
  onSort: (sort: UsersSearch["sort"]) => void;
  onClear: () => void;
  onEdit: (user: User) => void;
  onDelete: (user: User) => void;
}

export function UsersTable({ users, stale, search, onSort, onClear, onEdit, onDelete }: UsersTableProps) {
  const { t } = useTranslation();
  const me = useUser();
  return (
    <DataTable
      caption={t("Users")}
      columns={useColumns(users?.some(({ tenant }) => tenant !== DEFAULT_TENANT) ?? false)}
      rows={users}
      stale={stale}
      rowId={({ id }) => String(id)}
      sort={search.sort ?? "email"}
      onSort={(sort) => isSort(sort) && onSort(sort)}
      empty={<NoUsers search={search} onClear={onClear} />}
      actions={(user) => <RowActions user={user} own={user.id === me.id} onEdit={onEdit} onDelete={onDelete} />}
    />
  );
}

/** Who has no tenants need not read of them. */
function useColumns(tenants: boolean): Column<User>[] {
  const { t } = useTranslation();
  return useMemo(
    () => [
      { id: "full_name", header: t("Name"), sortable: true, className: "w-full md:w-auto", cell: (user) => <NameCell user={user} /> },
      { id: "email", header: t("Email"), sortable: true, className: "hidden md:table-cell", cell: ({ email }) => email },
      { id: "role", header: t("Role"), sortable: true, cell: ({ role }) => <RoleBadge role={role} /> },
      ...(tenants ? [{ id: "tenant", header: t("Tenant"), className: "hidden sm:table-cell", cell: ({ tenant }: User) => tenant }] : []),
      { id: "is_active", header: t("State"), className: "hidden sm:table-cell", cell: ({ is_active }) => <StateBadge active={is_active} /> },
      {
        id: "created_at",
        header: t("Created"),
        sortable: true,
        className: "hidden lg:table-cell text-muted",
        cell: ({ created_at }) => formatTime(created_at),
      },
    ],
    [t, tenants],
  );
}

function NameCell({ user }: { user: User }) {
  return (
    <div className="min-w-0">
      <Link
        to="/users/$userId"
        params={{ userId: String(user.id) }}
        className="block rounded font-medium wrap-anywhere underline-offset-4 hover:text-gold hover:underline"
      >
        {user.full_name || "–"}
      </Link>
      <p className="text-xs wrap-anywhere text-muted md:hidden">{user.email}</p>
    </div>
  );
}

export function RoleBadge({ role }: { role: User["role"] }) {
  return <Badge tone={role === "admin" ? "gold" : "idle"}>{role}</Badge>;
}

export function StateBadge({ active }: { active: boolean }) {
  const { t } = useTranslation();
  return (
    <Badge tone={active ? "good" : "idle"} dot>
      {active ? t("Active") : t("Disabled")}
    </Badge>
  );
}

interface RowActionsProps extends Pick<UsersTableProps, "onEdit" | "onDelete"> {
  user: User;
  own: boolean;
}

function RowActions({ user, own, onEdit, onDelete }: RowActionsProps) {
  const { t } = useTranslation();
  return (
    <>
      <Button variant="ghost" size="icon" aria-label={t("Edit {{email}}", { email: user.email })} onClick={() => onEdit(user)}>
        <Pencil aria-hidden />
      </Button>
      <Button
        variant="ghost"
        size="icon"
        className="enabled:hover:text-bad"
        aria-label={t("Delete {{email}}", { email: user.email })}
        title={own ? t("You cannot delete yourself") : undefined}
        disabled={own}
        onClick={() => onDelete(user)}
      >
        <Trash2 aria-hidden />
      </Button>
    </>
  );
}

function NoUsers({ search: { search, role, active }, onClear }: Pick<UsersTableProps, "search" | "onClear">) {
  const { t } = useTranslation();
  if (!search && !role && active === undefined) return <EmptyState icon={UserSearch} title={t("No users on this page")} />;
  return (
    <EmptyState icon={UserSearch} title={t("No user matches")} action={<Button onClick={onClear}>{t("Clear the filter")}</Button>}>
      {search ? t("Nobody's name or email contains “{{text}}”.", { text: search }) : t("Widen the filter.")}
    </EmptyState>
  );
}
