import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import type { AuditEvent } from "@/api/types";
import { openApp, signedInAs } from "./harness";

const event = (id: string, change: Partial<AuditEvent> = {}): AuditEvent => ({
  id,
  occurred_at: "2026-11-20T10:00:00Z",
  tenant: "default",
  actor_id: 1,
  actor: "admin@example.com",
  credential: "session",
  action: "users.create",
  target_type: "user",
  target_id: "7",
  address: "192.0.2.1",
  request_id: `request-${id}`,
  details: { role: "viewer" },
  ...change,
});

type Routes = Parameters<typeof openApp>[1];

const openAudit = (path: string, routes: Routes) => openApp(path, { ...signedInAs("admin"), ...routes });

describe("audit log", () => {
  it("filters by what the URL says, and shows an event's details", async () => {
    const user = userEvent.setup();
    const { sent, router } = openAudit("/audit?actor=admin%40example.com&days=7", {
      "GET /api/v1/audit": () => ({ body: { events: [event("a")], next_cursor: null } }),
    });
    await user.click(await screen.findByRole("button", { name: "Details" }));
    expect(await screen.findByText("request-a")).toBeInTheDocument();
    expect(screen.getByText("viewer")).toBeInTheDocument();
    const query = sent.find(({ path }) => path === "/api/v1/audit")?.query;
    expect(query?.get("actor")).toBe("admin@example.com");
    expect(Date.now() - Date.parse(query?.get("from") ?? "")).toBeGreaterThanOrEqual(7 * 86_400_000);

    await user.type(screen.getByLabelText("Action"), "auth");
    await user.click(screen.getByRole("button", { name: "Apply filter" }));
    await waitFor(() => expect(sent.findLast(({ path }) => path === "/api/v1/audit")?.query.get("action")).toBe("auth"));
    expect(router.state.location.search).toMatchObject({ action: "auth", days: 7 });
  });

  it("reads older events behind the cursor", async () => {
    const user = userEvent.setup();
    openAudit("/audit", {
      "GET /api/v1/audit": ({ query }) => ({
        body: query.get("cursor")
          ? { events: [event("b", { actor: "older@example.com" })], next_cursor: null }
          : { events: [event("a")], next_cursor: "cursor-1" },
      }),
    });
    await user.click(await screen.findByRole("button", { name: "Older events" }));
    expect(await screen.findByText("older@example.com")).toBeInTheDocument();
    expect(screen.getByText("admin@example.com", { selector: "td" })).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: "Older events" })).not.toBeInTheDocument();
  });

  it("says when nothing matches", async () => {
    openAudit("/audit?action=zzz", { "GET /api/v1/audit": () => ({ body: { events: [], next_cursor: null } }) });
    expect(await screen.findByText("No event matches")).toBeInTheDocument();
  });

  it("is forbidden to a viewer", async () => {
    openApp("/audit", signedInAs("viewer"));
    expect(await screen.findByText("You may not see this page")).toBeInTheDocument();
  });
});
