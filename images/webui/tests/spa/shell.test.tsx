import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { openApp, signedInAs } from "./harness";

describe("shell", () => {
  it("keeps the collapsed sidebar over a reload", async () => {
    const user = userEvent.setup();
    const first = openApp("/", signedInAs("admin"));
    await user.click(await screen.findByRole("button", { name: "Collapse sidebar" }));
    expect(screen.getByRole("button", { name: "Expand sidebar" })).toHaveAttribute("aria-expanded", "false");
    expect(screen.getByRole("link", { name: "Dashboard" })).toBeInTheDocument();
    first.unmount();

    openApp("/", signedInAs("admin"));
    await user.click(await screen.findByRole("button", { name: "Expand sidebar" }));
    expect(screen.getByRole("button", { name: "Collapse sidebar" })).toBeInTheDocument();
  });

  it("opens the navigation as a drawer, closed by Escape", async () => {
    const user = userEvent.setup();
    openApp("/", signedInAs("admin"));
    await user.click(await screen.findByRole("button", { name: "Open navigation" }));
    const drawer = await screen.findByRole("dialog", { name: "Navigation" });
    expect(within(drawer).getByRole("link", { name: "Users" })).toBeInTheDocument();
    await user.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
  });

  it.each([
    ["admin", true],
    ["maintainer", false],
    ["viewer", false],
  ] as const)("shows the Users entry to %s: %s", async (role, shown) => {
    openApp("/", signedInAs(role));
    await screen.findByRole("link", { name: "Dashboard" });
    expect(screen.queryByRole("link", { name: "Users" }) !== null).toBe(shown);
  });

  it("forbids the users page on a direct address, without asking the backend", async () => {
    const { sent } = openApp("/users", signedInAs("viewer"));
    expect(await screen.findByText("You may not see this page")).toBeInTheDocument();
    expect(sent.some(({ path }) => path === "/api/v1/users")).toBe(false);
  });

  it("shows a page for unknown addresses", async () => {
    openApp("/nothing/here", signedInAs("viewer"));
    expect(await screen.findByText("Page not found")).toBeInTheDocument();
  });

  it("signs out from the user menu", async () => {
    const user = userEvent.setup();
    const { sent, router } = openApp("/", { ...signedInAs("admin"), "POST /bff/logout": () => ({ status: 204 }) });
    await user.click(await screen.findByRole("button", { name: "User menu of Some admin" }));
    await user.click(await screen.findByRole("menuitem", { name: "Sign out" }));
    await waitFor(() => expect(router.state.location.pathname).toBe("/login"));
    expect(sent.some(({ path }) => path === "/bff/logout")).toBe(true);
  });
});
