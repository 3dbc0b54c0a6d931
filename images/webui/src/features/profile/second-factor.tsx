import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { ErrorState, Skeleton } from "@/components/ui/states";
import { totpQuery } from "./api";
import { DisableDialog, RecoveryCodesDialog } from "./both-factors-dialogs";
import { EnrolDialog } from "./enrol-dialog";

type OpenDialog = "enrol" | "codes" | "disable" | null;

/** Whether the second factor is on, and what can be done about it. */
export function SecondFactor() {
  const { t } = useTranslation();
  const totp = useQuery(totpQuery);
  const [dialog, setDialog] = useState<OpenDialog>(null);
  const close = () => setDialog(null);
  return (
    <Card aria-label={t("Second factor")} className="space-y-5 p-6">
      {totp.error && <ErrorState error={totp.error} onRetry={() => void totp.refetch()} />}
      {totp.isPending && <Skeleton className="h-24" />}
      {totp.data && !totp.error && <State {...totp.data} onOpen={setDialog} />}
      {dialog === "enrol" && <EnrolDialog onClose={close} />}
      {dialog === "codes" && <RecoveryCodesDialog onClose={close} />}
      {dialog === "disable" && <DisableDialog onClose={close} />}
    </Card>
  );
}

interface StateProps {
  enabled: boolean;
  recovery_codes_left: number;
  onOpen: (dialog: OpenDialog) => void;
}

function State({ enabled, recovery_codes_left, onOpen }: StateProps) {
  const { t } = useTranslation();
  return (
    <>
      <div>
        <h2 className="flex flex-wrap items-center gap-3 text-base font-semibold">
          {t("Second factor")}
          <Badge tone={enabled ? "good" : "idle"} dot>
            {enabled ? t("On") : t("Off")}
          </Badge>
        </h2>
        <p className="mt-1 text-muted">
          {enabled
            ? t("Recovery codes left: {{left}}", { left: recovery_codes_left })
            : t("A code of an authenticator app is asked for besides the password.")}
        </p>
      </div>
      <div className="flex flex-wrap gap-3">
        {!enabled && (
          <Button variant="primary" onClick={() => onOpen("enrol")}>
            {t("Turn on")}
          </Button>
        )}
        {enabled && <Button onClick={() => onOpen("codes")}>{t("New recovery codes")}</Button>}
        {enabled && <Button onClick={() => onOpen("disable")}>{t("Turn off")}</Button>}
      </div>
    </>
  );
}
