import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from "@tanstack/react-router";
import { ErrorPage, NotFoundPage } from "@/components/error-page";
import { LoginPage } from "@/features/auth/login-page";
import { configQuery, sessionQuery } from "@/features/auth/session";
import { parseUsersSearch } from "@/features/users/search";

interface RouterContext {
  queryClient: QueryClient;
}

interface LoginSearch {
  /** Where to go after login. */
  next?: string;
  /** A session has just ended. */
  ended?: boolean;
}

const rootRoute = createRootRouteWithContext<RouterContext>()({
  component: Outlet,
  errorComponent: ErrorPage,
  notFoundComponent: NotFoundPage,
});

const loginRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/login",
  validateSearch: (raw: Record<string, unknown>): LoginSearch => ({
    next: typeof raw.next === "string" ? raw.next : undefined,
    ended: raw.ended === true ? true : undefined,
  }),
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
  component: lazyRouteComponent(() => import("@/components/shell/app-shell"), "AppShell"),
});

// Pages load when first visited (or pointed at), so that the login page stays small.
const DashboardPage = lazyRouteComponent(() => import("@/features/dashboard/dashboard-page"), "DashboardPage");
const UsersPage = lazyRouteComponent(() => import("@/features/users/users-page"), "UsersPage");

const dashboardRoute = createRoute({ getParentRoute: () => signedInRoute, path: "/", component: DashboardPage });

const usersRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/users",
  validateSearch: parseUsersSearch,
  component: UsersPage,
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
