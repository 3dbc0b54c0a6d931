import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { UserPlus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ROLES, type User } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Card, PageHeader } from "@/components/ui/card";
import { Pagination } from "@/components/ui/pagination";
import { SearchBox } from "@/components/ui/search-box";
import { Select } from "@/components/ui/select";
import { ErrorState } from "@/components/ui/states";
import { Guarded } from "@/features/access/guarded";
import { usersQuery } from "./api";
import { DeleteUserDialog } from "./delete-user-dialog";
import type { UsersSearch } from "./search";
import { CreateUserDialog, EditUserDialog } from "./user-dialog";
import { UsersTable } from "./users-table";

type OpenDialog = { kind: "create" } | { kind: "edit" | "delete"; user: User } | null;

/** The users page for admins; the backend refuses everybody else as well. */
export const UsersPage = () => (
  <Guarded operation="users.list_users">
    <UserAdministration />
  </Guarded>
);

function UserAdministration() {
  const { t } = useTranslation();
  const search = useSearch({ from: "/signed-in/users" });
  const navigate = useNavigate({ from: "/users" });
  const users = useQuery(usersQuery(search));
  const [dialog, setDialog] = useState<OpenDialog>(null);
  const close = () => setDialog(null);
  const change = (next: Partial<UsersSearch>) =>
    void navigate({ search: (old) => ({ ...old, page: undefined, ...next }), replace: true });

  return (
    <>
      <PageHeader
        title={t("Users")}
        actions={
          <Button variant="primary" onClick={() => setDialog({ kind: "create" })}>
            <UserPlus aria-hidden /> {t("New user")}
          </Button>
        }
      >
        {t("Who may sign in, and what they may do.")}
      </PageHeader>
      <div className="mb-4 flex flex-wrap items-center gap-3">
        <SearchBox
          label={t("Search users")}
          placeholder={t("Search by name or email")}
          value={search.search ?? ""}
          onChange={(text) => change({ search: text || undefined })}
        />
        <Select label={t("Role")} value={search.role ?? ""} onChange={(text) => change({ role: ROLES.find((role) => role === text) })}>
          <option value="">{t("Every role")}</option>
          {ROLES.map((role) => (
            <option key={role}>{role}</option>
          ))}
        </Select>
        <Select label={t("State")} value={String(search.active ?? "")} onChange={(text) => change({ active: text ? text === "true" : undefined })}>
          <option value="">{t("Every state")}</option>
          <option value="true">{t("Active")}</option>
          <option value="false">{t("Disabled")}</option>
        </Select>
      </div>
      <Card className="overflow-hidden">
        {users.error ? (
          <ErrorState error={users.error} onRetry={() => void users.refetch()} />
        ) : (
          <UsersTable
            users={users.data?.users}
            stale={users.isPlaceholderData}
            search={search}
            onSort={(sort) => change({ sort })}
            onClear={() => change({ search: undefined, role: undefined, active: undefined })}
            onEdit={(user) => setDialog({ kind: "edit", user })}
            onDelete={(user) => setDialog({ kind: "delete", user })}
          />
        )}
        {users.data && !users.error && (
          <Pagination {...users.data.pagination} onPage={(page) => change({ page: page === 1 ? undefined : page })} />
        )}
      </Card>
      {dialog?.kind === "create" && <CreateUserDialog onClose={close} />}
      {dialog?.kind === "edit" && <EditUserDialog user={dialog.user} onClose={close} />}
      {dialog?.kind === "delete" && <DeleteUserDialog user={dialog.user} onClose={close} />}
    </>
  );
}
