import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { KeyRound, Pencil, ScrollText, ShieldOff, Trash2, UserCheck, UserX } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { User } from "@/api/types";
import { NotFoundPage } from "@/components/error-page";
import { Button } from "@/components/ui/button";
import { Card, PageHeader } from "@/components/ui/card";
import { Facts } from "@/components/ui/facts";
import { EmptyState, ErrorState, Skeleton } from "@/components/ui/states";
import { Tabs, type Tab } from "@/components/ui/tabs";
import { Guarded } from "@/features/access/guarded";
import { useAccess } from "@/features/access/permissions";
import { auditQuery } from "@/features/audit/audit-page";
import { EventTable } from "@/features/audit/event-table";
import { useUser } from "@/features/auth/session";
import { ApiKeys } from "@/features/profile/api-keys";
import { formatTime } from "@/lib/format";
import { RemoveTotpDialog, ResetPasswordDialog, StateDialog } from "./account-dialogs";
import { userQuery } from "./api";
import { DeleteUserDialog } from "./delete-user-dialog";
import { DEFAULT_TENANT } from "./tenant";
import { EditUserDialog } from "./user-dialog";
import { RoleBadge, StateBadge } from "./users-table";

export const UserPage = () => (
  <Guarded operation="users.get_user">
    <UserDetail />
  </Guarded>
);

function UserDetail() {
  const { userId } = useParams({ from: "/signed-in/users/$userId" });
  return /^[1-9]\d{0,14}$/.test(userId) ? <UserOf id={Number(userId)} /> : <NotFoundPage />;
}

function UserOf({ id }: { id: number }) {
  const user = useQuery(userQuery(id));
  if (user.error) return <ErrorState level="h1" error={user.error} onRetry={() => void user.refetch()} />;
  return user.data ? <Loaded user={user.data} /> : <Skeleton className="h-60 rounded-xl" />;
}

function Loaded({ user }: { user: User }) {
  const { t } = useTranslation();
  const access = useAccess();
  const tabs: Tab[] = [{ id: "account", label: t("Account"), render: () => <Account user={user} /> }];
  if (access.may("api_keys.list_keys")) {
    tabs.push({ id: "api-keys", label: t("API keys"), render: () => <ApiKeys owner={user.id} /> });
  }
  if (access.may("audit.list_events")) {
    tabs.push({ id: "activity", label: t("Activity"), render: () => <Activity actor={user.email} /> });
  }
  return (
    <>
      <PageHeader title={user.full_name || user.email} actions={<Actions user={user} />}>
        {user.email}
      </PageHeader>
      <Tabs label={t("User")} tabs={tabs} />
    </>
  );
}

function Actions({ user }: { user: User }) {
  const { t } = useTranslation();
  const me = useUser();
  const navigate = useNavigate();
  const [open, setOpen] = useState<"edit" | "reset" | "totp" | "state" | "delete" | null>(null);
  const close = () => setOpen(null);
  const own = user.id === me.id;
  return (
    <div className="flex flex-wrap gap-3">
      <Button onClick={() => setOpen("edit")}>
        <Pencil aria-hidden /> {t("Edit")}
      </Button>
      <Button disabled={own} onClick={() => setOpen("reset")}>
        <KeyRound aria-hidden /> {t("Reset password")}
      </Button>
      {user.totp_enabled && !own && (
        <Button onClick={() => setOpen("totp")}>
          <ShieldOff aria-hidden /> {t("Turn off the second factor")}
        </Button>
      )}
      <Button disabled={own} onClick={() => setOpen("state")}>
        {user.is_active ? <UserX aria-hidden /> : <UserCheck aria-hidden />}
        {user.is_active ? t("Disable") : t("Enable")}
      </Button>
      <Button disabled={own} onClick={() => setOpen("delete")}>
        <Trash2 aria-hidden /> {t("Delete")}
      </Button>
      {open === "edit" && <EditUserDialog user={user} onClose={close} />}
      {open === "reset" && <ResetPasswordDialog user={user} onClose={close} />}
      {open === "totp" && <RemoveTotpDialog user={user} onClose={close} />}
      {open === "state" && <StateDialog user={user} onClose={close} />}
      {open === "delete" && (
        <DeleteUserDialog user={user} onClose={close} onDeleted={() => void navigate({ to: "/users" })} />
      )}
    </div>
  );
}

function Account({ user }: { user: User }) {
  const { t } = useTranslation();
  return (
    <Facts
      label={t("Account")}
      facts={[
        [t("Role"), <RoleBadge key="role" role={user.role} />],
        ...(user.tenant === DEFAULT_TENANT ? [] : [[t("Tenant"), user.tenant] as const]),
        [t("State"), <StateBadge key="state" active={user.is_active} />],
        [t("Second factor"), user.totp_enabled ? t("On") : t("Off")],
        [t("Created"), formatTime(user.created_at)],
        [t("Changed"), formatTime(user.updated_at)],
      ]}
    />
  );
}

/** What the user did, newest first. */
function Activity({ actor }: { actor: string }) {
  const { t } = useTranslation();
  const events = useInfiniteQuery(auditQuery({ actor }));
  const [open, setOpen] = useState<string>();
  if (events.error) return <ErrorState error={events.error} onRetry={() => void events.refetch()} />;
  return (
    <Card className="overflow-hidden">
      <EventTable
        rows={events.data?.pages.flatMap((page) => page.events)}
        open={open}
        onOpen={setOpen}
        empty={<EmptyState icon={ScrollText} title={t("Nothing recorded yet")} />}
      />
      {events.hasNextPage && (
        <div className="border-t border-line p-3 text-center">
          <Button disabled={events.isFetchingNextPage} onClick={() => void events.fetchNextPage()}>
            {t("Older events")}
          </Button>
        </div>
      )}
    </Card>
  );
}
