import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { ApiError } from "@/api/problem";
import { Toasts } from "@/components/ui/toast";
import "@/i18n";
import { createAppRouter } from "./router";

/** One query client and one router that know each other: an expired session leads back to the login page. */
export function createApp() {
  const onError = (error: unknown) => {
    if (error instanceof ApiError && error.status === 401) void leave();
  };
  const queryClient = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: { queries: { retry: retryOnce, staleTime: 5_000 } },
  });
  const router = createAppRouter(queryClient);

  async function leave(): Promise<void> {
    const { pathname, href } = router.state.location;
    if (pathname === "/login") return;
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
