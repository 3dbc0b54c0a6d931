import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "./button";
import { useFocusReturn } from "./focus-return";

interface DialogProps {
  title: string;
  description?: ReactNode;
  onClose: () => void;
  /** A click beside it does not close it. */
  persistent?: boolean;
  children: ReactNode;
}

/** A modal dialog, open as long as it is mounted. */
export function Dialog({ title, description, onClose, persistent = false, children }: DialogProps) {
  const { t } = useTranslation();
  const focusReturn = useFocusReturn();
  const describedBy = description ? {} : { "aria-describedby": undefined };
  return (
    <Radix.Root open onOpenChange={(open) => !open && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-page/80 backdrop-blur-xs" />
        <Radix.Content
          {...describedBy}
          {...focusReturn}
          onInteractOutside={(event) => persistent && event.preventDefault()}
          className="fixed top-1/2 left-1/2 z-50 max-h-[calc(100dvh-2rem)] w-[calc(100vw-2rem)] max-w-md -translate-x-1/2 -translate-y-1/2 overflow-y-auto rounded-xl border border-line bg-surface p-6 shadow-2xl shadow-black/50 focus:outline-none"
        >
          <Radix.Title className="pr-8 text-lg font-semibold text-gold">{title}</Radix.Title>
          {description && <Radix.Description className="mt-1 text-muted">{description}</Radix.Description>}
          <div className="mt-5">{children}</div>
          <Radix.Close asChild>
            <Button variant="ghost" size="icon" aria-label={t("Close")} className="absolute top-4 right-4">
              <X aria-hidden />
            </Button>
          </Radix.Close>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

export function DialogActions({ children }: { children: ReactNode }) {
  return <div className="mt-6 flex flex-wrap justify-end gap-3">{children}</div>;
}
