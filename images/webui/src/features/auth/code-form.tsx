import { LogIn } from "lucide-react";
import { useState, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/problem";
import type { SessionUser } from "@/api/types";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { ErrorBanner } from "@/components/ui/states";
import { useLoginWithCode } from "./session";

interface CodeFormProps {
  challenge: string;
  onSuccess: (user: SessionUser) => void;
  /** Back to e-mail and password: a challenge bears five codes and five minutes. */
  onRestart: () => void;
}

/** The second step of a login. */
export function CodeForm({ challenge, onSuccess, onRestart }: CodeFormProps) {
  const { t } = useTranslation();
  const [code, setCode] = useState("");
  const login = useLoginWithCode(challenge);
  const refused = login.error instanceof ApiError && login.error.status === 401;

  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    login.mutate(code.replaceAll(" ", ""), { onSuccess: ({ user }) => onSuccess(user) });
  };

  return (
    <form onSubmit={submit} className="space-y-5">
      {login.error && (
        <ErrorBanner error={login.error}>
          {refused ? t("The code is wrong, or the login took too long.") : undefined}
        </ErrorBanner>
      )}
      <TextField
        label={t("Code of your authenticator, or a recovery code")}
        name="code"
        autoComplete="one-time-code"
        required
        value={code}
        onChange={(event) => setCode(event.target.value)}
      />
      <Button type="submit" variant="primary" className="h-10 w-full" disabled={login.isPending}>
        <LogIn aria-hidden />
        {t("Sign in")}
      </Button>
      <Button className="w-full" onClick={onRestart}>
        {t("Start again")}
      </Button>
    </form>
  );
}
