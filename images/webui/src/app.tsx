import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { ApiError } from "@/api/problem";
import { Toasts } from "@/components/ui/toast";
import { permissionsQuery } from "@/features/access/permissions";
import { endedQuery } from "@/features/auth/session";
import "@/i18n";
import { createAppRouter } from "./router";

/** One query client and one router that know each other: when a session ends, the user is asked to sign in again. */
export function createApp() {
  const onError = (error: unknown) => {
    if (error instanceof ApiError && error.status === 401) void sessionEnded();
  };
  const queryClient = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: { queries: { retry: retryOnce, staleTime: 5_000 } },
  });
  const router = createAppRouter(queryClient);

  async function sessionEnded(): Promise<void> {
    const { pathname, href } = router.state.location;
    if (pathname === "/login") return;
    if (queryClient.getQueryData(permissionsQuery.queryKey)) {
      queryClient.setQueryData(endedQuery.queryKey, true);
      return;
    }
    // No page is open yet that could ask.
    await router.navigate({ to: "/login", search: { ended: true, next: href } });
    queryClient.setQueryData(["session"], null);
  }

  return { queryClient, router };
}

/** Only a failure that may pass by itself deserves another try. */
function retryOnce(count: number, error: unknown): boolean {
  return count < 1 && error instanceof ApiError && (error.status === 0 || error.status >= 502);
}

export function App({ queryClient, router }: ReturnType<typeof createApp>) {
  return (
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
      <Toasts />
    </QueryClientProvider>
  );
}
