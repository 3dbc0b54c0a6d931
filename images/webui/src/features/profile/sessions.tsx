import { useQuery } from "@tanstack/react-query";
import { LogOut, MonitorSmartphone, X } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Session } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { DataTable, type Column } from "@/components/ui/data-table";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { EmptyState, ErrorBanner, ErrorState } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useLogout } from "@/features/auth/session";
import { formatTime } from "@/lib/format";
import { sessionsQuery, useEndAllSessions, useEndSession } from "./api";

/** Where one is signed in. */
export function Sessions() {
  const { t } = useTranslation();
  const sessions = useQuery(sessionsQuery);
  const end = useEndSession();
  const columns = useColumns();
  const [asking, setAsking] = useState(false);
  return (
    <>
      <div className="mb-4 flex justify-end">
        <Button onClick={() => setAsking(true)}>
          <LogOut aria-hidden /> {t("Sign out everywhere")}
        </Button>
      </div>
      {end.error && (
        <div className="mb-4">
          <ErrorBanner error={end.error} />
        </div>
      )}
      <Card className="overflow-hidden">
        {sessions.error ? (
          <ErrorState error={sessions.error} onRetry={() => void sessions.refetch()} />
        ) : (
          <DataTable
            caption={t("Sessions")}
            columns={columns}
            rows={sessions.data?.sessions}
            rowId={({ id }) => id}
            empty={<EmptyState icon={MonitorSmartphone} title={t("No sessions")} />}
            actions={(session) => (
              <EndButton
                session={session}
                pending={end.isPending}
                onEnd={() => end.mutate(session.id, { onSuccess: () => toast(t("The session is ended.")) })}
              />
            )}
          />
        )}
      </Card>
      {asking && <EndAllDialog onClose={() => setAsking(false)} />}
    </>
  );
}

function useColumns(): Column<Session>[] {
  const { t } = useTranslation();
  return [
    {
      id: "user_agent",
      header: t("Browser"),
      className: "w-full md:w-auto",
      cell: ({ user_agent, current, address, last_used_at }) => (
        <div className="space-y-1">
          <p className="wrap-anywhere">{user_agent || t("unknown")}</p>
          <p className="text-xs wrap-anywhere text-muted md:hidden">
            <span className="sm:hidden">{address} · </span>
            {t("Last used")}: {last_used_at ? formatTime(last_used_at) : t("never")}
          </p>
          {current && <Badge tone="gold">{t("this session")}</Badge>}
        </div>
      ),
    },
    { id: "address", header: t("Address"), className: "hidden sm:table-cell", cell: ({ address }) => address },
    { id: "created_at", header: t("Signed in"), className: "hidden lg:table-cell", cell: ({ created_at }) => formatTime(created_at) },
    {
      id: "last_used_at",
      header: t("Last used"),
      className: "hidden md:table-cell",
      cell: ({ last_used_at }) => (last_used_at ? formatTime(last_used_at) : t("never")),
    },
  ];
}

/** The present session ends by signing out, not here. */
function EndButton({ session, pending, onEnd }: { session: Session; pending: boolean; onEnd: () => void }) {
  const { t } = useTranslation();
  if (session.current) return null;
  const label = t("End the session from {{address}}", { address: session.address });
  return (
    <Button variant="ghost" size="icon" className="enabled:hover:text-bad" aria-label={label} title={label} disabled={pending} onClick={onEnd}>
      <X aria-hidden />
    </Button>
  );
}

function EndAllDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const endAll = useEndAllSessions();
  const logout = useLogout();
  return (
    <Dialog title={t("Sign out everywhere")} description={t("All your sessions end, this one too.")} onClose={onClose}>
      {endAll.error && <ErrorBanner error={endAll.error} />}
      <DialogActions>
        <Button onClick={onClose}>{t("Cancel")}</Button>
        <Button variant="danger" disabled={endAll.isPending} onClick={() => endAll.mutate(undefined, { onSuccess: () => logout.mutate() })}>
          {t("Sign out everywhere")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
