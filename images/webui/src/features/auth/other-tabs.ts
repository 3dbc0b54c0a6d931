import { useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useEffect } from "react";
import { apiAddress } from "@/api/client";
import { safePath } from "@/lib/safe-path";
import { endedQuery, sessionQuery, useForgetUser } from "./session";
import { toldByOtherTab } from "./tab-messages";

/** Follow the browser's other tabs: they share the session's cookies with this one. */
export function useOtherTabs(): void {
  const client = useQueryClient();
  const router = useRouter();
  const forget = useForgetUser();
  useEffect(() => {
    const { queryKey } = sessionQuery(client);
    const follow = (event: StorageEvent) => {
      const id = toldByOtherTab(event);
      if (id === undefined) return;
      const known = client.getQueryData(queryKey)?.id;
      if (id === null) {
        void forget();
      } else if (known === undefined) {
        client.removeQueries({ queryKey });
        router.history.push(safePath(new URLSearchParams(window.location.search).get("next") ?? undefined));
      } else if (known === id) {
        client.setQueryData(endedQuery.queryKey, false);
        void client.invalidateQueries();
      } else {
        // Another user's page must not stay: everything is loaded anew.
        window.location.assign(apiAddress("/"));
      }
    };
    window.addEventListener("storage", follow);
    return () => window.removeEventListener("storage", follow);
  }, [client, router, forget]);
}
