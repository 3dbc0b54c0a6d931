import { Check, Copy } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "./button";

/** A secret that is shown once, with a button that copies it. */
export function SecretNote({ secret, children }: { secret: string; children: ReactNode }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  const copy = () =>
    // Refused without TLS or permission: the text can be selected by hand.
    void navigator.clipboard.writeText(secret).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return (
    <div className="space-y-3">
      <p>{children}</p>
      <div className="flex items-center gap-2">
        <code className="min-w-0 flex-1 rounded-lg border border-line bg-page p-3 wrap-anywhere whitespace-pre-wrap select-all">{secret}</code>
        <Button size="icon" aria-label={copied ? t("Copied") : t("Copy")} onClick={copy}>
          {copied ? <Check aria-hidden /> : <Copy aria-hidden />}
        </Button>
      </div>
    </div>
  );
}
