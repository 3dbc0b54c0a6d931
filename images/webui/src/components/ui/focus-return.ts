import { useRef } from "react";

/**
 * Handlers for a dialog without a trigger of its own: focus goes back to where it was before the dialog opened, or
 * to the page when that is gone, for example with a deleted row.
 */
export function useFocusReturn() {
  const opener = useRef<Element | null>(null);
  return {
    onOpenAutoFocus: () => {
      opener.current = document.activeElement;
    },
    onCloseAutoFocus: (event: Event) => {
      event.preventDefault();
      const target = opener.current?.isConnected ? opener.current : document.getElementById("content");
      if (target instanceof HTMLElement) target.focus();
    },
  };
}
