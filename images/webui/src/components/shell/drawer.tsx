import { X } from "lucide-react";
import { Dialog } from "radix-ui";
import { useTranslation } from "react-i18next";
import { Button } from "@/components/ui/button";
import { useFocusReturn } from "@/components/ui/focus-return";
import { Brand, Navigation } from "./sidebar";

interface DrawerProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** The sidebar of narrow screens: over the page, closed by Escape, the overlay or a choice. */
export function Drawer({ open, onOpenChange }: DrawerProps) {
  const { t } = useTranslation();
  const focusReturn = useFocusReturn();
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-page/80 backdrop-blur-xs lg:hidden" />
        <Dialog.Content
          {...focusReturn}
          aria-describedby={undefined}
          className="fixed inset-y-0 left-0 z-50 flex w-72 max-w-[85vw] flex-col border-r border-line bg-surface shadow-2xl shadow-black/50 focus:outline-none lg:hidden"
        >
          <Dialog.Title className="sr-only">{t("Navigation")}</Dialog.Title>
          <Brand />
          <Navigation onNavigate={() => onOpenChange(false)} />
          <Dialog.Close asChild>
            <Button variant="ghost" size="icon" aria-label={t("Close navigation")} className="absolute top-2.5 right-3">
              <X aria-hidden />
            </Button>
          </Dialog.Close>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
