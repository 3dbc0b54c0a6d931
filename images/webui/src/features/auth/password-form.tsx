import { useMutation } from "@tanstack/react-query";
import { KeyRound, LoaderCircle } from "lucide-react";
import { useState, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import { api, bodyOf } from "@/api/client";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { ErrorBanner } from "@/components/ui/states";

/** The current password and a new one, twice; a change ends every session of the user. */
export function PasswordForm({ onSuccess }: { onSuccess: () => void }) {
  const { t } = useTranslation();
  const [current, setCurrent] = useState("");
  const [wanted, setWanted] = useState("");
  const [again, setAgain] = useState("");
  const change = useMutation({
    mutationFn: () =>
      bodyOf(api.POST("/api/v1/auth/password", { body: { current_password: current, new_password: wanted } })),
    onSuccess,
  });
  const differs = again !== "" && again !== wanted;

  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (again === wanted) change.mutate();
  };

  return (
    <form onSubmit={submit} className="space-y-5">
      {change.error && <ErrorBanner error={change.error} />}
      <Password label={t("Current password")} autoComplete="current-password" value={current} onChange={setCurrent} />
      <Password label={t("New password")} autoComplete="new-password" value={wanted} onChange={setWanted} />
      <Password
        label={t("New password, again")}
        autoComplete="new-password"
        value={again}
        onChange={setAgain}
        error={differs ? t("The two new passwords differ.") : undefined}
      />
      <Button type="submit" variant="primary" className="h-10 w-full" disabled={change.isPending || again !== wanted}>
        {change.isPending ? <LoaderCircle aria-hidden className="animate-spin" /> : <KeyRound aria-hidden />}
        {t("Change the password")}
      </Button>
    </form>
  );
}

interface PasswordProps {
  label: string;
  autoComplete: string;
  value: string;
  onChange: (value: string) => void;
  error?: string;
}

function Password({ onChange, ...props }: PasswordProps) {
  return <TextField {...props} type="password" required onChange={(event) => onChange(event.target.value)} />;
}
