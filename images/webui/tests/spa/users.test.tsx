import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import type { User } from "@/api/types";
import { openApp, signedInAs, userOf } from "./harness";

const VIEWER = userOf("viewer", 2);

function page(users: User[], total = users.length) {
  return { users, pagination: { page: 1, per_page: 20, total, pages: Math.ceil(total / 20) } };
}

function openUsers(path: string, routes: Parameters<typeof openApp>[1] = {}, users = [userOf("admin"), VIEWER], total?: number) {
  const list = { "GET /api/v1/users": () => ({ body: page(users, total) }) };
  return openApp(path, { ...signedInAs("admin"), ...list, ...routes });
}

describe("users page", () => {
  it("takes its state from the URL and keeps it there", async () => {
    const user = userEvent.setup();
    const { sent, router } = openUsers("/users?page=2&search=ann&sort=-created_at", {}, undefined, 45);
    await screen.findByText("viewer@example.com", { selector: "td" });
    const query = () => Object.fromEntries(sent.findLast(({ path }) => path === "/api/v1/users")?.query ?? []);
    expect(query()).toEqual({ page: "2", per_page: "20", search: "ann", sort: "-created_at" });
    await user.click(screen.getByRole("button", { name: "Name" }));
    await waitFor(() => expect(query()).toMatchObject({ page: "1", sort: "full_name" }));
    expect(router.state.location.search).toEqual({ search: "ann", sort: "full_name" });
    expect(screen.getByRole("columnheader", { name: "Name" })).toHaveAttribute("aria-sort", "ascending");
    await user.clear(screen.getByRole("searchbox", { name: "Search users" }));
    await waitFor(() => expect(query()).not.toHaveProperty("search"));
  });

  it("ignores nonsense in the URL", async () => {
    const { sent } = openUsers("/users?page=-3&sort=password");
    await screen.findByText("viewer@example.com", { selector: "td" });
    const query = Object.fromEntries(sent.find(({ path }) => path === "/api/v1/users")?.query ?? []);
    expect(query).toEqual({ page: "1", per_page: "20", sort: "email" });
  });

  it("says when nothing matches, and when loading failed", async () => {
    openUsers("/users?search=zzz", {}, []);
    expect(await screen.findByText("No user matches")).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Clear search" })).toBeInTheDocument();
  });

  it("shows the request id of a failure and tries again", async () => {
    const user = userEvent.setup();
    let fails = true;
    const body = { title: "Broken", detail: "No database.", status: 500, request_id: "r-5" };
    openUsers("/users", { "GET /api/v1/users": () => (fails ? { status: 500, body } : { body: page([VIEWER]) }) });
    expect(await screen.findByRole("alert")).toHaveTextContent(/No database\..*r-5/);
    fails = false;
    await user.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("viewer@example.com", { selector: "td" })).toBeInTheDocument();
  });

  it("shows markup in a name as text", async () => {
    openUsers("/users", {}, [{ ...VIEWER, full_name: "<img src=x onerror=alert(1)>" }]);
    expect(await screen.findByText("<img src=x onerror=alert(1)>")).toBeInTheDocument();
  });

  it("does not offer to delete oneself", async () => {
    openUsers("/users");
    expect(await screen.findByRole("button", { name: "Delete admin@example.com" })).toBeDisabled();
    expect(screen.getByRole("button", { name: "Delete viewer@example.com" })).toBeEnabled();
  });
});

describe("user dialog", () => {
  async function fillNewUser() {
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: "New user" }));
    const dialog = await screen.findByRole("dialog", { name: "New user" });
    await user.type(within(dialog).getByLabelText("Email"), "eve@example.com");
    await user.type(within(dialog).getByLabelText("Full name"), "Eve");
    await user.selectOptions(within(dialog).getByLabelText("Role"), "maintainer");
    await user.type(within(dialog).getByLabelText("Password"), "short");
    await user.click(within(dialog).getByRole("button", { name: "Create user" }));
    return dialog;
  }

  it("shows the backend's message at its field and keeps the form", async () => {
    const errors = { json: { password: ["Shorter than minimum length 12."] } };
    openUsers("/users", { "POST /api/v1/users": () => ({ status: 422, body: { title: "Unprocessable", errors } }) });
    const dialog = await fillNewUser();
    expect(await within(dialog).findByText("Shorter than minimum length 12.")).toBeInTheDocument();
    expect(within(dialog).getByLabelText("Password")).toBeInvalid();
    expect(within(dialog).getByLabelText("Password")).toHaveAccessibleDescription("Shorter than minimum length 12.");
    expect(within(dialog).getByLabelText("Email")).toHaveValue("eve@example.com");
  });

  it("shows a conflict that names no field as a whole", async () => {
    const body = { title: "Conflict", detail: "This email is taken.", request_id: "r-3" };
    openUsers("/users", { "POST /api/v1/users": () => ({ status: 409, body }) });
    const dialog = await fillNewUser();
    expect(await within(dialog).findByRole("alert")).toHaveTextContent(/This email is taken\..*r-3/);
  });

  it("creates a user, closes and reloads the list", async () => {
    const { sent } = openUsers("/users", { "POST /api/v1/users": () => ({ status: 201, body: userOf("viewer", 3) }) });
    await fillNewUser();
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(sent.find(({ method }) => method === "POST")?.json).toEqual({
      email: "eve@example.com",
      full_name: "Eve",
      role: "maintainer",
      password: "short",
    });
    expect(sent.filter(({ path, method }) => path === "/api/v1/users" && method === "GET")).toHaveLength(2);
  });

  it("sends only what was changed", async () => {
    const user = userEvent.setup();
    const { sent } = openUsers("/users", { "PATCH /api/v1/users/2": () => ({ body: VIEWER }) });
    await user.click(await screen.findByRole("button", { name: "Edit viewer@example.com" }));
    const dialog = await screen.findByRole("dialog", { name: "Edit user" });
    await user.selectOptions(within(dialog).getByLabelText("Role"), "maintainer");
    await user.click(within(dialog).getByLabelText("May sign in"));
    await user.click(within(dialog).getByRole("button", { name: "Save changes" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(sent.find(({ method }) => method === "PATCH")?.json).toEqual({ role: "maintainer", is_active: false });
  });

  it("deletes after a question", async () => {
    const user = userEvent.setup();
    const { sent } = openUsers("/users", { "DELETE /api/v1/users/2": () => ({ status: 204 }) });
    await user.click(await screen.findByRole("button", { name: "Delete viewer@example.com" }));
    const dialog = await screen.findByRole("dialog", { name: "Delete user" });
    await user.click(within(dialog).getByRole("button", { name: "Delete user" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(sent.some(({ method }) => method === "DELETE")).toBe(true);
  });
});
