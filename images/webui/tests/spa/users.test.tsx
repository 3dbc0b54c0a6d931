import { cleanup, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import type { User } from "@/api/types";
import { openApp, signedInAs, userOf } from "./harness";

const VIEWER = userOf("viewer", 2);

function page(users: User[], total = users.length) {
  return { users, pagination: { page: 1, per_page: 20, total, pages: Math.ceil(total / 20) } };
}

function openUsers(path: string, routes: Parameters<typeof openApp>[1] = {}, users = [userOf("admin"), VIEWER], total?: number) {
  const list = {
    "GET /api/v1/users": () => ({ body: page(users, total) }),
    "GET /api/v1/users/2": () => ({ body: VIEWER, headers: { ETag: '"7"' } }),
  };
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

  it("filters by role and state at the server, and forgets the page", async () => {
    const user = userEvent.setup();
    const { sent, router } = openUsers("/users?page=2", {}, undefined, 45);
    await user.selectOptions(await screen.findByLabelText("Role"), "viewer");
    await user.selectOptions(screen.getByLabelText("State"), "Disabled");
    const query = () => Object.fromEntries(sent.findLast(({ path }) => path === "/api/v1/users")?.query ?? []);
    await waitFor(() => expect(query()).toEqual({ page: "1", per_page: "20", sort: "email", role: "viewer", is_active: "false" }));
    expect(router.state.location.search).toEqual({ role: "viewer", active: false });
  });

  it("ignores nonsense in the URL", async () => {
    const { sent } = openUsers("/users?page=-3&sort=password&role=root&active=perhaps");
    await screen.findByText("viewer@example.com", { selector: "td" });
    const query = Object.fromEntries(sent.find(({ path }) => path === "/api/v1/users")?.query ?? []);
    expect(query).toEqual({ page: "1", per_page: "20", sort: "email" });
  });

  it("says when nothing matches, and when loading failed", async () => {
    openUsers("/users?search=zzz", {}, []);
    expect(await screen.findByText("No user matches")).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Clear the filter" })).toBeInTheDocument();
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
      tenant: "default",
      password: "short",
    });
    await waitFor(() => expect(sent.filter(({ path, method }) => path === "/api/v1/users" && method === "GET")).toHaveLength(2));
  });

  it("sends only what was changed", async () => {
    const user = userEvent.setup();
    const { sent } = openUsers("/users", { "PATCH /api/v1/users/2": () => ({ body: VIEWER }) });
    await user.click(await screen.findByRole("button", { name: "Edit viewer@example.com" }));
    const dialog = await screen.findByRole("dialog", { name: "Edit user" });
    await user.selectOptions(await within(dialog).findByLabelText("Role"), "maintainer");
    await user.click(within(dialog).getByLabelText("May sign in"));
    await user.click(within(dialog).getByRole("button", { name: "Save changes" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    const change = sent.find(({ method }) => method === "PATCH");
    expect(change?.json).toEqual({ role: "maintainer", is_active: false });
    expect(change?.headers.get("if-match")).toBe('"7"');
  });

  it("deletes after a question", async () => {
    const user = userEvent.setup();
    const { sent } = openUsers("/users", { "DELETE /api/v1/users/2": () => ({ status: 204 }) });
    await user.click(await screen.findByRole("button", { name: "Delete viewer@example.com" }));
    const dialog = await screen.findByRole("dialog", { name: "Delete user" });
    await user.click(await within(dialog).findByRole("button", { name: "Delete user" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(sent.find(({ method }) => method === "DELETE")?.headers.get("if-match")).toBe('"7"');
  });
});

describe("a changed user", () => {
  const RENAMED = { status: 200, body: { ...VIEWER, full_name: "Vera" } };
  const REFUSED = { status: 409, body: { title: "Conflict", detail: "The last admin stays." } };

  it.each([
    ["stays so when the answer comes", RENAMED, "Vera"],
    ["goes back when it is refused", REFUSED, "Some viewer"],
  ])("is shown as changed before the answer, and %s", async (_, answer, name) => {
    const user = userEvent.setup();
    let stored = VIEWER.full_name;
    let arrive = (): void => undefined;
    openUsers("/users", {
      "GET /api/v1/users": () => ({ body: page([{ ...VIEWER, full_name: stored }]) }),
      "PATCH /api/v1/users/2": async () => {
        await new Promise<void>((resolve) => (arrive = resolve));
        stored = name;
        return answer;
      },
    });
    await user.click(await screen.findByRole("button", { name: "Edit viewer@example.com" }));
    const dialog = await screen.findByRole("dialog", { name: "Edit user" });
    await user.clear(await within(dialog).findByLabelText("Full name"));
    await user.type(within(dialog).getByLabelText("Full name"), "Vera");
    await user.click(within(dialog).getByRole("button", { name: "Save changes" }));
    const table = screen.getByRole("table", { hidden: true });
    await waitFor(() => expect(table).toHaveTextContent("Vera"));
    arrive();
    // Answered: the dialog closes, or says why not.
    await waitFor(() => expect(!dialog.isConnected || within(dialog).queryByRole("alert")).toBeTruthy());
    await waitFor(() => expect(table).toHaveTextContent(name));
  });
});

describe("a user whom somebody else has changed", () => {
  const THEIRS: User = { ...VIEWER, role: "admin" };
  const CONFLICT = { status: 412, body: { title: "Precondition Failed", detail: "It was changed meanwhile." } };

  /** The user at the backend: changed by somebody else once the dialog has read it. */
  function racing() {
    let reads = 0;
    return {
      "GET /api/v1/users/2": () => {
        reads += 1;
        return reads === 1 ? { body: VIEWER, headers: { ETag: 'W/"7"' } } : { body: THEIRS, headers: { ETag: '"8"' } };
      },
    };
  }

  const tags = (sent: ReturnType<typeof openApp>["sent"], wanted: string) =>
    sent.filter(({ method }) => method === wanted).map(({ headers }) => headers.get("if-match"));

  it("is shown as it is now, the form kept, and saved over the newer version", async () => {
    const user = userEvent.setup();
    let tries = 0;
    const { sent } = openUsers("/users", {
      ...racing(),
      "PATCH /api/v1/users/2": () => {
        tries += 1;
        return tries === 1 ? CONFLICT : { body: THEIRS };
      },
    });
    await user.click(await screen.findByRole("button", { name: "Edit viewer@example.com" }));
    const dialog = await screen.findByRole("dialog", { name: "Edit user" });
    await user.clear(await within(dialog).findByLabelText("Full name"));
    await user.type(within(dialog).getByLabelText("Full name"), "Vera");
    await user.click(within(dialog).getByRole("button", { name: "Save changes" }));
    await waitFor(() => expect(within(dialog).getByRole("alert")).toHaveTextContent("Role: viewer → admin"));
    expect(within(dialog).getByLabelText("Full name")).toHaveValue("Vera");
    await user.click(within(dialog).getByRole("button", { name: "Save all the same" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(tags(sent, "PATCH")).toEqual(['"7"', '"8"']);
    expect(sent.findLast(({ method }) => method === "PATCH")?.json).toEqual({ full_name: "Vera" });
  });

  it("is not deleted before the question is put again", async () => {
    const user = userEvent.setup();
    let tries = 0;
    const { sent } = openUsers("/users", {
      ...racing(),
      "DELETE /api/v1/users/2": () => {
        tries += 1;
        return tries === 1 ? CONFLICT : { status: 204 };
      },
    });
    await user.click(await screen.findByRole("button", { name: "Delete viewer@example.com" }));
    const dialog = await screen.findByRole("dialog", { name: "Delete user" });
    await user.click(await within(dialog).findByRole("button", { name: "Delete user" }));
    await waitFor(() => expect(within(dialog).getByRole("alert")).toHaveTextContent("Role: viewer → admin"));
    await user.click(within(dialog).getByRole("button", { name: "Delete all the same" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(tags(sent, "DELETE")).toEqual(['"7"', '"8"']);
  });
});

describe("tenants", () => {
  const IN_TENANT = { ...VIEWER, tenant: "acme" };

  it("bother nobody who has none", async () => {
    const user = userEvent.setup();
    const { sent } = openUsers("/users", { "POST /api/v1/users": () => ({ status: 201, body: VIEWER }) });
    expect(await screen.findByRole("columnheader", { name: "Role" })).toBeInTheDocument();
    expect(screen.queryByRole("columnheader", { name: "Tenant" })).not.toBeInTheDocument();
    await user.click(screen.getByRole("button", { name: "New user" }));
    const dialog = within(await screen.findByRole("dialog"));
    expect(dialog.getByLabelText("Tenant")).not.toBeVisible();
    await user.type(dialog.getByLabelText("Email"), "eve@example.com");
    await user.type(dialog.getByLabelText("Full name"), "Eve");
    await user.type(dialog.getByLabelText("Password"), "correct horse battery");
    await user.click(dialog.getByRole("button", { name: "Create user" }));
    await waitFor(() => expect(sent.find(({ method }) => method === "POST")?.json).toMatchObject({ tenant: "default" }));
  });

  it("are shown in the table and on the page of who has one", async () => {
    openUsers("/users", {}, [userOf("admin"), IN_TENANT]);
    expect(await screen.findByRole("columnheader", { name: "Tenant" })).toBeInTheDocument();
    expect(screen.getByRole("cell", { name: "acme" })).toBeInTheDocument();
    cleanup();
    openUsers("/users/2", { "GET /api/v1/users/2": () => ({ body: IN_TENANT }) });
    expect(within(await screen.findByRole("region", { name: "Account" })).getByText("acme")).toBeInTheDocument();
  });

  it("are changed in the form, which tells what a name may be", async () => {
    const user = userEvent.setup();
    const errors = { json: { tenant: ["Must be 1 to 40 lower-case letters, digits or inner hyphens."] } };
    let answer: { status: number; body?: unknown } = { status: 422, body: { title: "Unprocessable", errors } };
    const { sent } = openUsers("/users/2", { "GET /api/v1/users/2": () => ({ body: IN_TENANT }), "PATCH /api/v1/users/2": () => answer });
    await user.click(await screen.findByRole("button", { name: "Edit" }));
    const dialog = within(await screen.findByRole("dialog", { name: "Edit user" }));
    const field = await dialog.findByLabelText("Tenant");
    expect(field).toBeVisible();
    await user.clear(field);
    await user.type(field, "Acme!");
    expect(field).toBeInvalid();
    expect(field).toHaveAccessibleDescription(/^Takes 1 to 40/);
    await user.click(dialog.getByRole("button", { name: "Save changes" }));
    await waitFor(() => expect(field).toHaveAccessibleDescription(/^Must be 1 to 40/));
    answer = { status: 200, body: IN_TENANT };
    await user.clear(field);
    await user.type(field, "acme-2");
    await user.click(dialog.getByRole("button", { name: "Save changes" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(sent.findLast(({ method }) => method === "PATCH")?.json).toEqual({ tenant: "acme-2" });
  });
});

describe("a user's page", () => {
  it("is called by the user's name in the breadcrumb, and by its number where there is no such user", async () => {
    openUsers("/users/2");
    const breadcrumb = () => within(screen.getByRole("navigation", { name: "Breadcrumb" }));
    await screen.findByRole("heading", { level: 1, name: VIEWER.full_name });
    expect(breadcrumb().getByText(VIEWER.full_name)).toHaveAttribute("aria-current", "page");
    cleanup();
    openUsers("/users/3", { "GET /api/v1/users/3": () => ({ status: 404, body: { title: "Not Found", detail: "No such user." } }) });
    await screen.findByText("No such user.");
    expect(breadcrumb().getByText("3")).toBeInTheDocument();
  });

  const RESET = "POST /api/v1/users/2/password-reset";

  async function reset(answer: NonNullable<Parameters<typeof openApp>[1]>[string]) {
    const user = userEvent.setup();
    openUsers("/users/2", { [RESET]: answer });
    await user.click(await screen.findByRole("button", { name: "Reset password" }));
    const dialog = await screen.findByRole("dialog", { name: "Reset password" });
    await user.click(within(dialog).getByRole("button", { name: "Reset password" }));
    return { user, dialog };
  }

  it("resets the password and shows the temporary one once", async () => {
    const { user, dialog } = await reset(() => ({ body: { password: "temp-4711" } }));
    expect(await within(dialog).findByText("temp-4711")).toBeInTheDocument();
    await user.click(within(dialog).getByRole("button", { name: "Done" }));
    expect(screen.queryByText("temp-4711")).not.toBeInTheDocument();
  });

  it("tells why a password cannot be reset", async () => {
    const { dialog } = await reset(() => ({ status: 503, body: { title: "Busy", detail: "The database is away.", request_id: "r-7" } }));
    expect(await within(dialog).findByRole("alert")).toHaveTextContent(/The database is away\..*r-7/);
  });

  it.each([
    [true, "Disable", "Disable user"],
    [false, "Enable", "Enable user"],
  ])("changes whether the user may sign in (now: %s)", async (is_active, open, confirm) => {
    const user = userEvent.setup();
    const { sent } = openUsers("/users/2", {
      "GET /api/v1/users/2": () => ({ body: { ...VIEWER, is_active } }),
      "PATCH /api/v1/users/2": () => ({ body: VIEWER }),
    });
    await user.click(await screen.findByRole("button", { name: open }));
    const dialog = await screen.findByRole("dialog", { name: confirm });
    await user.click(within(dialog).getByRole("button", { name: confirm }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(sent.find(({ method }) => method === "PATCH")?.json).toEqual({ is_active: !is_active });
  });

  it("offers to turn off a second factor that is on", async () => {
    const user = userEvent.setup();
    let answer: { status: number; body?: unknown } = { status: 503, body: { title: "Busy", detail: "The database is away." } };
    const { sent } = openUsers("/users/2", {
      "GET /api/v1/users/2": () => ({ body: { ...VIEWER, totp_enabled: true } }),
      "DELETE /api/v1/users/2/totp": () => answer,
    });
    await user.click(await screen.findByRole("button", { name: "Turn off the second factor" }));
    const dialog = await screen.findByRole("dialog", { name: "Turn off the second factor" });
    await user.click(within(dialog).getByRole("button", { name: "Turn off" }));
    expect(await within(dialog).findByRole("alert")).toHaveTextContent("The database is away.");
    answer = { status: 204 };
    await user.click(within(dialog).getByRole("button", { name: "Turn off" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(sent.filter(({ method }) => method === "DELETE")).toHaveLength(2);
  });

  it("shows the user's API keys, and revokes one", async () => {
    const user = userEvent.setup();
    const key = { id: 9, user_id: 2, name: "<b>ci</b>", prefix: "tt_abc", role: "viewer", created_at: VIEWER.created_at, expires_at: VIEWER.created_at, last_used_at: null };
    const { sent } = openUsers("/users/2?tab=api-keys", {
      "GET /api/v1/api-keys": () => ({ body: { api_keys: [key] } }),
      "DELETE /api/v1/api-keys/9": () => ({ status: 204 }),
    });
    await user.click(await screen.findByRole("button", { name: "Revoke the key <b>ci</b>" }));
    expect(screen.queryByRole("button", { name: "New API key" })).not.toBeInTheDocument();
    await user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Revoke API key" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(sent.find(({ path }) => path === "/api/v1/api-keys")?.query.get("user_id")).toBe("2");
    expect(sent.some(({ method, path }) => method === "DELETE" && path === "/api/v1/api-keys/9")).toBe(true);
  });

  it("does not offer it without one", async () => {
    openUsers("/users/2");
    expect(await screen.findByRole("button", { name: "Reset password" })).toBeEnabled();
    expect(screen.queryByRole("button", { name: "Turn off the second factor" })).not.toBeInTheDocument();
  });
});
