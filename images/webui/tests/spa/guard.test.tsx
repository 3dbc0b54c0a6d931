import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import type { GuardRule, Role } from "@/api/types";
import { canonicalPrefix, parsePorts, portsText } from "@/features/guard/values";
import { Source } from "./event-source";
import { openApp, signedInAs, type Handler } from "./harness";

const RULE: GuardRule = {
  id: "r1",
  prefix: "192.0.2.0/24",
  protocol: 17,
  ports: [{ first: 53, last: 53 }],
  action: "deny",
  limit: null,
  expires_at: null,
  owner: "admin@example.com",
  comment: "<img src=x onerror=alert(1)>",
  count_only: true,
  created_at: "2026-11-20T10:00:00Z",
  updated_at: "2026-11-20T10:00:00Z",
};

const guardRoutes = (role: Role): Record<string, Handler> => ({
  ...signedInAs(role),
  "GET /api/v1/guard/rules": () => ({
    body: { rules: [RULE], pagination: { page: 1, per_page: 20, total: 1, pages: 1 }, revision: 3 },
  }),
  "GET /api/v1/guard/counters": () => ({
    body: { state: "running", nodes: 1, counters: [{ rule_id: "r1", packets: 4200, bytes: 1, over_limit_packets: 0 }] },
  }),
  "GET /api/v1/guard/status": () => ({ body: { state: "not_installed", detail: "", revision: 3, nodes: [] } }),
});

const openGuard = (role: Role, routes: Record<string, Handler> = {}) => openApp("/guard", { ...guardRoutes(role), ...routes });

describe("network guard", () => {
  it("shows rules with their hits, markup as text, and that nothing enforces them", async () => {
    openGuard("viewer");
    expect(await screen.findByText("192.0.2.0/24")).toBeInTheDocument();
    expect(await screen.findByText("4,200")).toBeInTheDocument();
    expect(screen.getByText(RULE.comment)).toBeInTheDocument();
    expect(screen.getByText("counts only")).toBeInTheDocument();
    expect(await screen.findByText(/The fast path is not installed: rules are kept/)).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: "New rule" })).not.toBeInTheDocument();
  });

  it("refuses what is no prefix without asking, then sends the canonical one", async () => {
    const user = userEvent.setup();
    const { sent } = openGuard("maintainer", { "POST /api/v1/guard/rules": () => ({ status: 201, body: RULE }) });
    await user.click(await screen.findByRole("button", { name: "New rule" }));
    const dialog = await screen.findByRole("dialog", { name: "New rule" });
    const prefix = within(dialog).getByLabelText("Prefix");
    await user.type(prefix, "10.0.0.300/8");
    await user.click(within(dialog).getByRole("button", { name: "Create rule" }));
    expect(prefix).toBeInvalid();
    expect(sent.some(({ method }) => method === "POST")).toBe(false);

    await user.clear(prefix);
    await user.type(prefix, "10.1.2.3/8");
    expect(within(dialog).getByText("Kept as 10.0.0.0/8.")).toBeInTheDocument();
    await user.click(within(dialog).getByRole("button", { name: "Create rule" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(sent.find(({ method }) => method === "POST")?.json).toMatchObject({ prefix: "10.0.0.0/8", action: "deny", ports: [] });
  });

  it("keeps limits that the form does not show, and sends only what was changed", async () => {
    const user = userEvent.setup();
    const limit = { packets_per_second: 100, packets_burst: 500, syns_per_second: 10, syns_burst: 20 };
    const rule = { ...RULE, action: "rate", limit, expires_at: "2030-01-01T00:00:00Z" };
    const { sent } = openGuard("maintainer", {
      "GET /api/v1/guard/rules": () => ({ body: { rules: [rule], pagination: { page: 1, per_page: 20, total: 1, pages: 1 }, revision: 3 } }),
      "PATCH /api/v1/guard/rules/r1": () => ({ body: rule }),
    });
    const type = async (label: string, text: string) => {
      await user.clear(screen.getByLabelText(label));
      await user.type(screen.getByLabelText(label), text);
    };
    const edit = async (change: () => Promise<void>) => {
      await user.click(await screen.findByRole("button", { name: /^Edit/ }));
      await screen.findByRole("dialog", { name: "Edit rule" });
      await change();
      await user.click(screen.getByRole("button", { name: "Save changes" }));
      await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
      return sent.findLast(({ method }) => method === "PATCH")?.json;
    };
    expect(await edit(() => type("Comment", "less"))).toEqual({ comment: "less" });
    const slow = async () => {
      await type("Packets per second", "50");
      await user.selectOptions(screen.getByLabelText("Ends"), "never");
    };
    expect(await edit(slow)).toEqual({ limit: { ...limit, packets_per_second: 50 }, expires_at: null });
  });

  it("tells of a contradiction and keeps the form", async () => {
    const user = userEvent.setup();
    const body = { title: "Conflict", detail: "Another rule says the opposite.", request_id: "r-4" };
    openGuard("admin", { "POST /api/v1/guard/rules": () => ({ status: 409, body }) });
    await user.click(await screen.findByRole("button", { name: "New rule" }));
    const dialog = await screen.findByRole("dialog", { name: "New rule" });
    await user.type(within(dialog).getByLabelText("Prefix"), "2001:db8::/32");
    await user.click(within(dialog).getByRole("button", { name: "Create rule" }));
    expect(await within(dialog).findByRole("alert")).toHaveTextContent(/says the opposite\..*r-4/);
    expect(within(dialog).getByLabelText("Prefix")).toHaveValue("2001:db8::/32");
  });
});

describe("dropped packets", () => {
  it("appear as they are sampled, and a node's failure beside them", async () => {
    Source.install();
    openApp("/guard?tab=drops", {
      ...guardRoutes("viewer"),
      "GET /api/v1/guard/status": () => ({ body: { state: "running", detail: "", revision: 3, nodes: [] } }),
    });
    await screen.findByText("Nothing dropped yet");
    const [source] = Source.opened;
    expect(source?.url).toBe("/api/v1/guard/drops");
    source?.frame("drop", { time: "2026-11-20T10:00:00Z", source: "192.0.2.9", verdict: "deny" });
    source?.frame("error", { detail: "node is away" });
    const items = screen.getAllByRole("listitem").filter(({ textContent }) => /^(drop|error)/.test(textContent));
    expect(items.map(({ textContent }) => textContent)).toEqual([
      expect.stringContaining("node is away"),
      expect.stringMatching(/2026.*source: 192\.0\.2\.9 · verdict: deny/),
    ]);
  });
});

describe("dropped packets without a fast path", () => {
  it("are not asked for", async () => {
    Source.install();
    openApp("/guard?tab=drops", guardRoutes("viewer"));
    expect(await screen.findByText("Dropped packets appear here when a node runs the guard.")).toBeInTheDocument();
    expect(Source.opened).toEqual([]);
  });
});

describe("prefixes", () => {
  it.each([
    ["192.0.2.77/24", "192.0.2.0/24"],
    [" 192.0.2.1 ", "192.0.2.1/32"],
    ["2001:DB8::1/32", "2001:db8::/32"],
    ["0.0.0.0/0", "0.0.0.0/0"],
  ])("%s is kept as %s", (text, canonical) => expect(canonicalPrefix(text)).toBe(canonical));

  it.each(["", "10", "10.0.0.300", "10.0.0.0/33", "2001:db8::/129", "10.0.0.0/8/8", "10.0.0.0/-1", "0x7f.1", "fe80::1%eth0", "example.com"])(
    "%j is none",
    (text) => expect(canonicalPrefix(text)).toBeUndefined(),
  );
});

describe("ports", () => {
  it("are read and written back", () => {
    const ports = parsePorts("80, 8000 - 8080") ?? [];
    expect(portsText(ports)).toBe("80, 8000-8080");
    expect(parsePorts("")).toEqual([]);
  });

  it.each(["http", "65536", "90-80", "80;81"])("%j are none", (text) => expect(parsePorts(text)).toBeUndefined());
});
