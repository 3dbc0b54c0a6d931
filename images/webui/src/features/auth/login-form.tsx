import type { TFunction } from "i18next";
import { LoaderCircle, LogIn } from "lucide-react";
import { useState, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/problem";
import type { SessionUser } from "@/api/types";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { ErrorBanner } from "@/components/ui/states";
import { CodeForm } from "./code-form";
import { useLogin } from "./session";
import { useCountdown } from "./use-countdown";

/** E-mail and password, then a code where the account has a second factor; what was typed stays after a refusal. */
export function LoginForm({ onSuccess }: { onSuccess: (user: SessionUser) => void }) {
  const { t } = useTranslation();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const login = useLogin();
  const throttled = login.error instanceof ApiError && login.error.status === 429;
  const wait = useCountdown(throttled ? (login.error as ApiError) : null);

  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    login.mutate({ email: email.trim(), password }, { onSuccess: (result) => "user" in result && onSuccess(result.user) });
  };
  if (login.data && "challenge_token" in login.data)
    return <CodeForm challenge={login.data.challenge_token} onSuccess={onSuccess} onRestart={login.reset} />;

  return (
    <form onSubmit={submit} className="space-y-5">
      {login.error && <ErrorBanner error={login.error}>{explain(t, login.error, wait)}</ErrorBanner>}
      <TextField
        label={t("Email")}
        type="email"
        name="email"
        autoComplete="username"
        required
        value={email}
        onChange={(event) => setEmail(event.target.value)}
      />
      <TextField
        label={t("Password")}
        type="password"
        name="password"
        autoComplete="current-password"
        required
        value={password}
        onChange={(event) => setPassword(event.target.value)}
      />
      <Button type="submit" variant="primary" className="h-10 w-full" disabled={login.isPending || wait > 0}>
        {login.isPending ? <LoaderCircle aria-hidden className="animate-spin" /> : <LogIn aria-hidden />}
        {wait > 0 ? t("Wait {{seconds}} s", { seconds: wait }) : t("Sign in")}
      </Button>
    </form>
  );
}

function explain(t: TFunction, error: unknown, wait: number): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  switch (error.status) {
    case 400:
    case 422:
      return t("Enter a valid email and a password.");
    case 401:
      return t("The email or the password is wrong.");
    case 403:
      return t("This account may not sign in. Ask an administrator.");
    case 429:
      return wait > 0
        ? t("Too many attempts. Try again in {{seconds}} seconds.", { seconds: wait })
        : t("Too many attempts. You may try again now.");
    case 503:
      return t("The platform is not available at the moment. Try again in a few seconds.");
    default:
      return undefined;
  }
}
