import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { FastPathNode } from "@/api/types";
import { openApp, PERMISSIONS, signedInAs, STATUS } from "./harness";

const NODE: FastPathNode = {
  node: "worker2",
  version: "0.1.0",
  kernel: "6.18.0",
  xdp_mode: "generic",
  interface: "eth0",
  reason: "no driver support",
  guard: { enforcing: true, reason: "", revision: 3, rules: 2 },
  ingest: { mode: "socket", reason: "no AF_XDP here", ports: [514], subscriptions: 1 },
  numa_nodes: [],
  hugepages: [],
  counters: [],
};

describe("roles", () => {
  it("are a matrix of the table that the backend enforces", async () => {
    const open = { name: "health.healthz", method: "GET", path: "/healthz", summary: "Lives", public: true, session_only: false, roles: [] };
    const body = { ...PERMISSIONS, operations: [...PERMISSIONS.operations, open] };
    openApp("/roles", { ...signedInAs("viewer"), "GET /api/v1/permissions": () => ({ body }) });
    const users = within(await screen.findByRole("table", { name: "users" }));
    const marks = within(users.getByRole("row", { name: /Does users\.list_users/ })).getAllByRole("cell");
    expect(marks.map(({ textContent }) => textContent)).toEqual(["allowed", "not allowed", "not allowed"]);
    // What needs no sign-in is nobody's permission.
    expect(screen.queryByRole("table", { name: "health" })).not.toBeInTheDocument();
  });
});

describe("system", () => {
  const routes = { ...signedInAs("viewer"), "GET /api/v1/status": () => ({ body: { ...STATUS, fast_path: { state: "running", nodes: [NODE] } } }) };

  it("shows versions, engine and schema, then components, then nodes and what they can do", async () => {
    const user = userEvent.setup();
    openApp("/system", routes);
    const facts = within(await screen.findByRole("region", { name: "Installation" }));
    expect(facts.getAllByRole("definition").map(({ textContent }) => textContent)).toEqual(["alpha", "0.1.0", "PostgreSQL", "1"]);
    await user.click(screen.getByRole("tab", { name: "Components" }));
    expect(await screen.findByRole("region", { name: "redis" })).toHaveTextContent("connection refused");
    await user.click(screen.getByRole("tab", { name: "Nodes" }));
    const node = within(await screen.findByRole("region", { name: "Node worker2" }));
    for (const text of ["XDP generic", "no driver support", "6.18.0", "eth0", "Enforcing", "2, revision 3", "socket · 514", "no AF_XDP here"]) expect(node.getByText(text)).toBeInTheDocument();
  });
});

describe("about", () => {
  it("tells the version and leads to the machine-readable documents", async () => {
    openApp("/about", signedInAs("viewer"));
    expect(await screen.findByText("0.1.0")).toBeInTheDocument();
    const links = within(screen.getByRole("region", { name: "Documents" })).getAllByRole("link");
    expect(links.map((link) => link.getAttribute("href"))).toEqual(["/api/v1/openapi.json", "/.well-known/jwks.json"]);
  });
});

describe("a page that breaks", () => {
  afterEach(() => vi.restoreAllMocks());

  it("says so without the words of the error, and can be tried again", async () => {
    const user = userEvent.setup();
    const [any] = PERMISSIONS.operations;
    let body: unknown = { ...PERMISSIONS, operations: [...PERMISSIONS.operations, { ...any, name: 7 }] };
    // React reports what an error boundary caught.
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const { queryClient } = openApp("/roles", { ...signedInAs("viewer"), "GET /api/v1/permissions": () => ({ body }) });
    expect(await screen.findByRole("alert")).toHaveTextContent(/^Something went wrong on this page\./);
    expect(document.body).not.toHaveTextContent(/split|TypeError/);
    body = PERMISSIONS;
    await queryClient.refetchQueries({ queryKey: ["permissions"] });
    await user.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByRole("table", { name: "users" })).toBeInTheDocument();
  });
});
