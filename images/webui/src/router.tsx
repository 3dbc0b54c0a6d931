import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, Outlet, redirect } from "@tanstack/react-router";
import { z } from "zod";
import { ErrorPage, ForbiddenPage, NotFoundPage } from "@/components/error-page";
import { AppShell } from "@/components/shell/app-shell";
import { LoginPage } from "@/features/auth/login-page";
import { configQuery, sessionQuery, useUser } from "@/features/auth/session";
import { DashboardPage } from "@/features/dashboard/dashboard-page";
import { usersSearchSchema } from "@/features/users/search";
import { UsersPage } from "@/features/users/users-page";

interface RouterContext {
  queryClient: QueryClient;
}

const rootRoute = createRootRouteWithContext<RouterContext>()({
  component: Outlet,
  errorComponent: ErrorPage,
  notFoundComponent: NotFoundPage,
});

const loginRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/login",
  validateSearch: z.object({ next: z.string().optional().catch(undefined), ended: z.boolean().optional().catch(undefined) }),
  loader: ({ context }) => context.queryClient.query({ ...configQuery, staleTime: "static" }),
  component: LoginPage,
});

const signedInRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "signed-in",
  beforeLoad: async ({ context, location }) => {
    const user = await context.queryClient.query({ ...sessionQuery(context.queryClient), staleTime: "static" });
    if (!user) throw redirect({ to: "/login", search: location.href === "/" ? {} : { next: location.href } });
  },
  component: () => (
    <AppShell>
      <Outlet />
    </AppShell>
  ),
});

const dashboardRoute = createRoute({ getParentRoute: () => signedInRoute, path: "/", component: DashboardPage });

const usersRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/users",
  validateSearch: usersSearchSchema,
  component: function Users() {
    return useUser().role === "admin" ? <UsersPage /> : <ForbiddenPage />;
  },
});

const unknownRoute = createRoute({ getParentRoute: () => signedInRoute, path: "$", component: NotFoundPage });

const routeTree = rootRoute.addChildren([
  loginRoute,
  signedInRoute.addChildren([dashboardRoute, usersRoute, unknownRoute]),
]);

export function createAppRouter(queryClient: QueryClient) {
  return createRouter({
    routeTree,
    context: { queryClient },
    defaultPreload: "intent",
    defaultErrorComponent: ErrorPage,
    scrollRestoration: false,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
