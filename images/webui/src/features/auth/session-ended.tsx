import { useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { apiAddress } from "@/api/client";
import type { SessionUser } from "@/api/types";
import { Dialog } from "@/components/ui/dialog";
import { LoginForm } from "./login-form";
import { endedQuery, useForgetUser, useSessionEnded, useUser } from "./session";

/** Asks to sign in again over the page, so that a form below keeps what was typed. */
export function SessionEnded() {
  return useSessionEnded() ? <SignInAgain /> : null;
}

function SignInAgain() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const router = useRouter();
  const forget = useForgetUser();
  const { id } = useUser();
  const [before] = useState(id);
  const goOn = (user: SessionUser) => {
    // Another user's page must not stay: everything is loaded anew.
    if (user.id !== before) return window.location.assign(apiAddress("/"));
    client.setQueryData(endedQuery.queryKey, false);
    void client.invalidateQueries();
  };
  return (
    <Dialog
      persistent
      title={t("Your session has ended")}
      description={t("Sign in to go on where you were.")}
      onClose={() => void forget({ ended: true, next: router.state.location.href })}
    >
      <LoginForm onSuccess={goOn} />
    </Dialog>
  );
}
