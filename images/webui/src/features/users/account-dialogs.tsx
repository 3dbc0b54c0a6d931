import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { User } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SecretNote } from "@/components/ui/secret-note";
import { ErrorBanner } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useRemoveTotp, useResetPassword, useUpdateUser } from "./api";

interface DialogProps {
  user: User;
  onClose: () => void;
}

/** Gives a user a temporary password, told this once. */
export function ResetPasswordDialog({ user, onClose }: DialogProps) {
  const { t } = useTranslation();
  const reset = useResetPassword(user);
  return (
    <Dialog title={t("Reset password")} description={user.email} onClose={onClose}>
      {reset.data ? (
        <>
          <SecretNote secret={reset.data.password}>
            {t("Hand this temporary password to the user, who must change it at the next login. It is shown this once.")}
          </SecretNote>
          <DialogActions>
            <Button variant="primary" onClick={onClose}>
              {t("Done")}
            </Button>
          </DialogActions>
        </>
      ) : (
        <>
          {reset.error && <ErrorBanner error={reset.error} />}
          <p>{t("The present password ends at once, and with it all sessions of the user.")}</p>
          <DialogActions>
            <Button onClick={onClose}>{t("Cancel")}</Button>
            <Button variant="danger" disabled={reset.isPending} onClick={() => reset.mutate()}>
              {t("Reset password")}
            </Button>
          </DialogActions>
        </>
      )}
    </Dialog>
  );
}

/** Disables a user who may sign in, and enables one who may not. */
export function StateDialog({ user, onClose }: DialogProps) {
  const { t } = useTranslation();
  const update = useUpdateUser(user);
  // The user is shown as changed before the answer; the question stays the same.
  const [disable] = useState(user.is_active);
  const title = disable ? t("Disable user") : t("Enable user");
  const done = () => {
    toast(disable ? t("{{email}} is disabled.", { email: user.email }) : t("{{email}} is enabled.", { email: user.email }));
    onClose();
  };
  return (
    <Dialog title={title} description={user.email} onClose={onClose}>
      {update.error && <ErrorBanner error={update.error} />}
      <p>
        {disable
          ? t("The user can no longer sign in, and all their sessions end.")
          : t("The user can sign in again.")}
      </p>
      <DialogActions>
        <Button onClick={onClose}>{t("Cancel")}</Button>
        <Button
          variant={disable ? "danger" : "primary"}
          disabled={update.isPending}
          onClick={() => update.mutate({ body: { is_active: !disable } }, { onSuccess: done })}
        >
          {title}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

export function RemoveTotpDialog({ user, onClose }: DialogProps) {
  const { t } = useTranslation();
  const remove = useRemoveTotp(user);
  const done = () => {
    toast(t("The second factor of {{email}} is off.", { email: user.email }));
    onClose();
  };
  return (
    <Dialog title={t("Turn off the second factor")} description={user.email} onClose={onClose}>
      {remove.error && <ErrorBanner error={remove.error} />}
      <p>{t("For a user who lost the device: the password alone will sign them in. Make sure that it is they who ask.")}</p>
      <DialogActions>
        <Button onClick={onClose}>{t("Cancel")}</Button>
        <Button variant="danger" disabled={remove.isPending} onClick={() => remove.mutate(undefined, { onSuccess: done })}>
          {t("Turn off")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
