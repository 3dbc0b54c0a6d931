import { useTranslation } from "react-i18next";
import type { User } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { ErrorBanner } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useDeleteUser } from "./api";

interface DeleteUserDialogProps {
  user: User;
  onClose: () => void;
  onDeleted?: () => void;
}

export function DeleteUserDialog({ user, onClose, onDeleted }: DeleteUserDialogProps) {
  const { t } = useTranslation();
  const remove = useDeleteUser(user);
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
      {remove.error && <ErrorBanner error={remove.error} />}
      <DialogActions>
        <Button onClick={onClose}>{t("Cancel")}</Button>
        <Button
          variant="danger"
          disabled={remove.isPending}
          onClick={() => remove.mutate(undefined, { onSuccess: done })}
        >
          {t("Delete user")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
