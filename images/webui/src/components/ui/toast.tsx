import { CircleCheck, CircleX, X } from "lucide-react";
import { Toast } from "radix-ui";
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "./button";

interface Message {
  id: number;
  text: string;
  tone: "good" | "bad";
}

const listeners = new Set<() => void>();
let messages: readonly Message[] = [];
let lastId = 0;

/** Tell something in passing, from anywhere; read out by screen readers. */
export function toast(text: string, tone: Message["tone"] = "good"): void {
  lastId += 1;
  change([...messages.slice(-3), { id: lastId, text, tone }]);
}

function change(next: readonly Message[]): void {
  messages = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const dismiss = (id: number) => change(messages.filter((message) => message.id !== id));

/** Where toasts appear; one for the whole application. */
export function Toasts() {
  const { t } = useTranslation();
  const shown = useSyncExternalStore(subscribe, () => messages);
  return (
    <Toast.Provider label={t("Notification")} duration={6_000}>
      {shown.map(({ id, text, tone }) => (
        <Toast.Root
          key={id}
          onOpenChange={(open) => !open && dismiss(id)}
          className="flex items-center gap-3 rounded-lg border border-line bg-raised py-2 pr-2 pl-4 shadow-xl shadow-black/40"
        >
          {tone === "good" ? <CircleCheck aria-hidden className="size-4 text-good" /> : <CircleX aria-hidden className="size-4 text-bad" />}
          <Toast.Description className="min-w-0 flex-1 wrap-anywhere">{text}</Toast.Description>
          <Toast.Close asChild>
            <Button variant="ghost" size="icon" aria-label={t("Dismiss")}>
              <X aria-hidden />
            </Button>
          </Toast.Close>
        </Toast.Root>
      ))}
      <Toast.Viewport
        label={t("Notifications ({hotkey})")}
        className="fixed right-4 bottom-4 z-[60] flex w-[calc(100vw-2rem)] max-w-sm flex-col gap-2 outline-none"
      />
    </Toast.Provider>
  );
}
