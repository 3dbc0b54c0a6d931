import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { startTheme } from "@/lib/theme";
import { openApp, PERMISSIONS, signedInAs } from "./harness";

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

  it("folds a category of the sidebar, and keeps it folded over a reload", async () => {
    const user = userEvent.setup();
    const first = openApp("/", signedInAs("admin"));
    const category = await screen.findByRole("button", { name: "Administration" });
    expect(category).toHaveAttribute("aria-expanded", "true");
    category.focus();
    await user.keyboard("{Enter}");
    expect(screen.queryByRole("link", { name: "Users" })).not.toBeInTheDocument();
    first.unmount();

    openApp("/", signedInAs("admin"));
    expect(await screen.findByRole("button", { name: "Administration" })).toHaveAttribute("aria-expanded", "false");
    expect(screen.queryByRole("link", { name: "Users" })).not.toBeInTheDocument();
  });

  it("goes to a page by the command palette", async () => {
    const user = userEvent.setup();
    const { router } = openApp("/", signedInAs("admin"));
    await screen.findByRole("link", { name: "Dashboard" });
    await user.keyboard("{Control>}k{/Control}");
    await user.type(await screen.findByRole("combobox"), "about");
    await user.keyboard("{Enter}");
    await waitFor(() => expect(router.state.location.pathname).toBe("/about"));
    expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
  });

  it("changes the theme by the command palette, and remembers it", async () => {
    const user = userEvent.setup();
    openApp("/", signedInAs("viewer"));
    await user.click(await screen.findByRole("button", { name: "Command palette" }));
    await user.click(await screen.findByRole("option", { name: "Light theme" }));
    expect(document.documentElement.dataset.theme).toBe("light");
    document.documentElement.removeAttribute("data-theme");
    startTheme();
    expect(document.documentElement.dataset.theme).toBe("light");
  });

  it("moves between tabs by arrow keys, with the chosen one in the URL and only its panel drawn", async () => {
    const user = userEvent.setup();
    const { router } = openApp("/profile", signedInAs("viewer"));
    const first = await screen.findByRole("tab", { name: "Account" });
    expect(first).toHaveAttribute("aria-selected", "true");
    expect(screen.queryByRole("radio", { name: "Light" })).not.toBeInTheDocument();
    first.focus();
    await user.keyboard("{ArrowLeft}");
    expect(await screen.findByRole("radio", { name: "Light" })).toBeInTheDocument();
    await waitFor(() => expect(router.state.location.search).toEqual({ tab: "appearance" }));
    expect(screen.getByRole("tabpanel")).toHaveAccessibleName("Appearance");
  });

  it("says what the backend that runs does not offer", async () => {
    const body = { ...PERMISSIONS, operations: PERMISSIONS.operations.filter(({ name }) => !name.startsWith("audit.")) };
    openApp("/audit", { ...signedInAs("admin"), "GET /api/v1/permissions": () => ({ body }) });
    expect(await screen.findByRole("heading", { name: "Not part of this installation" })).toBeInTheDocument();
    expect(screen.queryByRole("link", { name: "Audit log" })).not.toBeInTheDocument();
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
