import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from "@tanstack/react-router";
import { ErrorPage, NotFoundPage } from "@/components/error-page";
import { LoginPage } from "@/features/auth/login-page";
import { tabOf } from "@/components/ui/tab-search";
import { permissionsQuery } from "@/features/access/permissions";
import { parseAuditSearch } from "@/features/audit/search";
import { useOtherTabs } from "@/features/auth/other-tabs";
import { configQuery, sessionQuery, type LoginSearch } from "@/features/auth/session";
import { parseGuardSearch } from "@/features/guard/search";
import { parseIngestSearch } from "@/features/ingest/search";
import { parseUsersSearch } from "@/features/users/search";
import { parseWebhooksSearch } from "@/features/webhooks/search";
import { basePath } from "@/lib/base-path";
import { pageOf } from "@/lib/page-of";

interface RouterContext {
  queryClient: QueryClient;
}

function Root() {
  useOtherTabs();
  return <Outlet />;
}

const rootRoute = createRootRouteWithContext<RouterContext>()({
  component: Root,
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

const passwordRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/password",
  beforeLoad: async ({ context }) => {
    const user = await context.queryClient.query({ ...sessionQuery(context.queryClient), staleTime: "static" });
    if (!user?.must_change_password) throw redirect({ to: "/" });
  },
  component: lazyRouteComponent(() => import("@/features/auth/password-page"), "PasswordPage"),
});

const signedInRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "signed-in",
  beforeLoad: async ({ context, location }) => {
    const user = await context.queryClient.query({ ...sessionQuery(context.queryClient), staleTime: "static" });
    if (!user) throw redirect({ to: "/login", search: location.href === "/" ? {} : { next: location.href } });
    if (user.must_change_password) throw redirect({ to: "/password" });
    await context.queryClient.query({ ...permissionsQuery, staleTime: "static" });
  },
  component: lazyRouteComponent(() => import("@/components/shell/app-shell"), "AppShell"),
});

// Pages load when first visited (or pointed at), so that the login page stays small.
const DashboardPage = lazyRouteComponent(() => import("@/features/dashboard/dashboard-page"), "DashboardPage");
const UserPage = lazyRouteComponent(() => import("@/features/users/user-page"), "UserPage");
const RolesPage = lazyRouteComponent(() => import("@/features/roles/roles-page"), "RolesPage");
const AuditPage = lazyRouteComponent(() => import("@/features/audit/audit-page"), "AuditPage");
const ProfilePage = lazyRouteComponent(() => import("@/features/profile/profile-page"), "ProfilePage");
const SystemPage = lazyRouteComponent(() => import("@/features/system/system-page"), "SystemPage");
const GuardPage = lazyRouteComponent(() => import("@/features/guard/guard-page"), "GuardPage");
const IngestPage = lazyRouteComponent(() => import("@/features/ingest/ingest-page"), "IngestPage");
const WebhooksPage = lazyRouteComponent(() => import("@/features/webhooks/webhooks-page"), "WebhooksPage");
const JobsPage = lazyRouteComponent(() => import("@/features/jobs/jobs-page"), "JobsPage");
const AboutPage = lazyRouteComponent(() => import("@/features/about/about-page"), "AboutPage");
const UsersPage = lazyRouteComponent(() => import("@/features/users/users-page"), "UsersPage");

const dashboardRoute = createRoute({ getParentRoute: () => signedInRoute, path: "/", component: DashboardPage });

const usersRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/users",
  validateSearch: parseUsersSearch,
  component: UsersPage,
});

const userRoute = createRoute({ getParentRoute: () => signedInRoute, path: "/users/$userId", validateSearch: tabOf, component: UserPage });
const rolesRoute = createRoute({ getParentRoute: () => signedInRoute, path: "/roles", component: RolesPage });
const auditRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/audit",
  validateSearch: parseAuditSearch,
  component: AuditPage,
});
const profileRoute = createRoute({ getParentRoute: () => signedInRoute, path: "/profile", validateSearch: tabOf, component: ProfilePage });
const systemRoute = createRoute({ getParentRoute: () => signedInRoute, path: "/system", validateSearch: tabOf, component: SystemPage });
const guardRoute = createRoute({ getParentRoute: () => signedInRoute, path: "/guard", validateSearch: parseGuardSearch, component: GuardPage });
const ingestRoute = createRoute({ getParentRoute: () => signedInRoute, path: "/ingest", validateSearch: parseIngestSearch, component: IngestPage });
const webhooksRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/integrations",
  validateSearch: parseWebhooksSearch,
  component: WebhooksPage,
});
const jobsRoute = createRoute({
  getParentRoute: () => signedInRoute,
  path: "/jobs",
  validateSearch: (raw: Record<string, unknown>): { page?: number } => ({ page: pageOf(raw) }),
  component: JobsPage,
});
const aboutRoute = createRoute({ getParentRoute: () => signedInRoute, path: "/about", component: AboutPage });
const unknownRoute = createRoute({ getParentRoute: () => signedInRoute, path: "$", component: NotFoundPage });

const routeTree = rootRoute.addChildren([
  loginRoute,
  passwordRoute,
  signedInRoute.addChildren([
    dashboardRoute,
    usersRoute,
    userRoute,
    rolesRoute,
    auditRoute,
    profileRoute,
    systemRoute,
    guardRoute,
    ingestRoute,
    webhooksRoute,
    jobsRoute,
    aboutRoute,
    unknownRoute,
  ]),
]);

export function createAppRouter(queryClient: QueryClient) {
  return createRouter({
    routeTree,
    basepath: basePath(),
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
