import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { User } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { ErrorBanner, Skeleton } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useDeleteUser, versionQuery, type UserVersion } from "./api";
import { isConflict, UserConflict } from "./user-conflict";

interface DeleteUserDialogProps {
  user: User;
  onClose: () => void;
  onDeleted?: () => void;
}

export function DeleteUserDialog({ user, onClose, onDeleted }: DeleteUserDialogProps) {
  const { t } = useTranslation();
  const version = useQuery(versionQuery(user.id));
  const done = () => {
    toast(t("{{email}} is deleted.", { email: user.email }));
    onClose();
    onDeleted?.();
  };
  return (
    <Dialog
      title={t("Delete user")}
      description={
        <>
          <span className="block font-medium break-all text-ink">{user.email}</span>
          {t("The user can no longer sign in. This cannot be undone.")}
        </>
      }
      onClose={onClose}
    >
      {version.error && <ErrorBanner error={version.error} />}
      {version.isPending && <Skeleton className="h-9" />}
      {version.data && <Question version={version.data} onConflict={() => void version.refetch()} onDeleted={done} onClose={onClose} />}
    </Dialog>
  );
}

interface QuestionProps {
  /** The newest one that was read. */
  version: UserVersion;
  /** Somebody else has changed the user: read it again before the question is put again. */
  onConflict: () => void;
  onDeleted: () => void;
  onClose: () => void;
}

function Question({ version, onConflict, onDeleted, onClose }: QuestionProps) {
  const { t } = useTranslation();
  const [before] = useState(version.user);
  const remove = useDeleteUser(before);
  const conflict = isConflict(remove.error);
  const confirm = () =>
    remove.mutate(version.etag, { onSuccess: onDeleted, onError: (error) => isConflict(error) && onConflict() });
  return (
    <>
      {conflict && (
        <UserConflict before={before} theirs={version.user}>
          {t("Look whether the user should still be deleted.")}
        </UserConflict>
      )}
      {remove.error && !conflict && <ErrorBanner error={remove.error} />}
      <DialogActions>
        <Button onClick={onClose}>{t("Cancel")}</Button>
        <Button variant="danger" disabled={remove.isPending} onClick={confirm}>
          {conflict ? t("Delete all the same") : t("Delete user")}
        </Button>
      </DialogActions>
    </>
  );
}
