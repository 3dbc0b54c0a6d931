import { createColumnHelper, rowSortingFeature, tableFeatures, useTable, type Header } from "@tanstack/react-table";
import { clsx } from "clsx";
import { ArrowDown, ArrowUp, ChevronsUpDown, Pencil, Trash2, UserSearch } from "lucide-react";
import type { User } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { EmptyState, Skeleton } from "@/components/ui/states";
import { useUser } from "@/features/auth/session";
import { formatTime } from "@/lib/format";
import { SORTABLE, sortOf, sortText, type SortColumn, type UsersSearch } from "./search";

interface UsersTableProps {
  users: User[] | undefined;
  /** Shown rows are of the page before, while the next one loads. */
  stale: boolean;
  search: UsersSearch;
  onSort: (sort: UsersSearch["sort"]) => void;
  onClearSearch: () => void;
  onEdit: (user: User) => void;
  onDelete: (user: User) => void;
}

const features = tableFeatures({ rowSortingFeature });
const column = createColumnHelper<typeof features, User>();
const columns = column.columns([
  column.accessor("full_name", { header: "Name", cell: ({ row }) => <NameCell user={row.original} /> }),
  column.accessor("email", { header: "Email" }),
  column.accessor("role", { header: "Role", cell: ({ getValue }) => <RoleBadge role={getValue()} /> }),
  column.accessor("is_active", { header: "State", enableSorting: false, cell: ({ getValue }) => <StateBadge active={getValue()} /> }),
  column.accessor("created_at", { header: "Created", cell: ({ getValue }) => formatTime(getValue()) }),
]);

/** Columns that narrow screens leave out. */
const NARROW: Record<string, string> = {
  full_name: "w-full md:w-auto",
  email: "hidden md:table-cell",
  is_active: "hidden sm:table-cell",
  created_at: "hidden lg:table-cell text-muted",
};
const NO_USERS: User[] = [];
const CELL = "px-2 py-3 first:pl-4 last:pr-3 sm:px-3 sm:first:pl-5 sm:last:pr-5";

export function UsersTable({ users, stale, search, onSort, onClearSearch, onEdit, onDelete }: UsersTableProps) {
  const me = useUser();
  const table = useTable({
    features,
    columns,
    data: users ?? NO_USERS,
    manualSorting: true,
    state: { sorting: [sortOf(search.sort)] },
    getRowId: (user) => String(user.id),
  });

  if (users?.length === 0) return <NoUsers search={search.search} onClearSearch={onClearSearch} />;
  return (
    <div className="overflow-x-auto">
      <table className={clsx("w-full transition-opacity", stale && "opacity-60")} aria-busy={!users || stale}>
        <caption className="sr-only">Users</caption>
        <thead className="border-b border-line text-xs text-muted">
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>
              {group.headers.map((header) => (
                <HeaderCell key={header.id} header={header} sort={search.sort} onSort={onSort} />
              ))}
              <th scope="col" className={CELL}>
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          ))}
        </thead>
        <tbody className="divide-y divide-line/60">
          {!users && <LoadingRows />}
          {table.getRowModel().rows.map((row) => (
            <tr key={row.id} className="hover:bg-raised/50">
              {row.getAllCells().map((cell) => (
                <td key={cell.id} className={clsx(CELL, NARROW[cell.column.id])}>
                  <table.FlexRender cell={cell} />
                </td>
              ))}
              <td className={clsx(CELL, "text-right whitespace-nowrap")}>
                <RowActions user={row.original} own={row.original.id === me.id} onEdit={onEdit} onDelete={onDelete} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface HeaderCellProps {
  header: Header<typeof features, User>;
  sort: UsersSearch["sort"];
  onSort: UsersTableProps["onSort"];
}

function HeaderCell({ header, sort, onSort }: HeaderCellProps) {
  const id = header.column.id as SortColumn;
  const label = String(header.column.columnDef.header);
  const sortable = SORTABLE.includes(id);
  const current = sortOf(sort);
  const sorted = current.id === id;
  const Icon = !sorted ? ChevronsUpDown : current.desc ? ArrowDown : ArrowUp;
  return (
    <th
      scope="col"
      aria-sort={!sorted ? undefined : current.desc ? "descending" : "ascending"}
      className={clsx(CELL, "text-left font-medium", NARROW[id])}
    >
      {sortable ? (
        <button
          type="button"
          className={clsx("inline-flex items-center gap-1 rounded hover:text-ink", sorted && "text-gold hover:text-gold")}
          onClick={() => onSort(sortText(id, sorted && !current.desc))}
        >
          {label}
          <Icon aria-hidden className="size-3.5" />
        </button>
      ) : (
        label
      )}
    </th>
  );
}

function NameCell({ user }: { user: User }) {
  return (
    <div className="min-w-0">
      <p className="font-medium break-words">{user.full_name || "–"}</p>
      <p className="text-xs wrap-anywhere text-muted md:hidden">{user.email}</p>
    </div>
  );
}

function RoleBadge({ role }: { role: User["role"] }) {
  return <Badge tone={role === "admin" ? "gold" : "idle"}>{role}</Badge>;
}

function StateBadge({ active }: { active: boolean }) {
  return (
    <Badge tone={active ? "good" : "idle"} dot>
      {active ? "Active" : "Disabled"}
    </Badge>
  );
}

interface RowActionsProps extends Pick<UsersTableProps, "onEdit" | "onDelete"> {
  user: User;
  own: boolean;
}

function RowActions({ user, own, onEdit, onDelete }: RowActionsProps) {
  return (
    <>
      <Button variant="ghost" size="icon" aria-label={`Edit ${user.email}`} onClick={() => onEdit(user)}>
        <Pencil aria-hidden />
      </Button>
      <Button
        variant="ghost"
        size="icon"
        className="enabled:hover:text-bad"
        aria-label={`Delete ${user.email}`}
        title={own ? "You cannot delete yourself" : undefined}
        disabled={own}
        onClick={() => onDelete(user)}
      >
        <Trash2 aria-hidden />
      </Button>
    </>
  );
}

function NoUsers({ search, onClearSearch }: { search: string | undefined; onClearSearch: () => void }) {
  if (!search) return <EmptyState icon={UserSearch} title="No users on this page" />;
  return (
    <EmptyState icon={UserSearch} title="No user matches" action={<Button onClick={onClearSearch}>Clear search</Button>}>
      Nobody's name or email contains “{search}”.
    </EmptyState>
  );
}

function LoadingRows() {
  return Array.from({ length: 5 }, (_, index) => (
    <tr key={index}>
      <td colSpan={6} className={CELL}>
        <Skeleton className="h-8" />
      </td>
    </tr>
  ));
}
