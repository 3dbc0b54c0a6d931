import type { User } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { ErrorBanner } from "@/components/ui/states";
import { useDeleteUser } from "./api";

export function DeleteUserDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const remove = useDeleteUser(user);
  return (
    <Dialog
      title="Delete user"
      description={
        <>
          <span className="font-medium break-all text-ink">{user.email}</span> can no longer sign in. This cannot be undone.
        </>
      }
      onClose={onClose}
    >
      {remove.error && <ErrorBanner error={remove.error} />}
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          variant="danger"
          disabled={remove.isPending}
          onClick={() => remove.mutate(undefined, { onSuccess: onClose })}
        >
          Delete user
        </Button>
      </DialogActions>
    </Dialog>
  );
}
