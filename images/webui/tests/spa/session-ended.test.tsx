import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { openApp, signedInAs, userOf, type Handler } from "./harness";

const USERS = { users: [userOf("admin")], pagination: { page: 1, per_page: 20, total: 1, pages: 1 } };
const REFUSED = { status: 401, body: { title: "Unauthorized", detail: "token expired: eyJ", request_id: "r-1" } };

/** The platform of an admin whose session can be ended. */
function expiring() {
  const session = { live: true };
  const asLongAsItLives = (handler: Handler): Handler => (request) => (session.live ? handler(request) : REFUSED);
  const routes: Record<string, Handler> = {
    ...signedInAs("admin"),
    "GET /bff/session": asLongAsItLives(() => ({ body: { user: userOf("admin") } })),
    "GET /api/v1/users": asLongAsItLives(() => ({ body: USERS })),
    "POST /api/v1/users": asLongAsItLives(() => ({ status: 201, body: userOf("viewer", 3) })),
    "POST /bff/login": () => {
      session.live = true;
      return { body: { user: userOf("admin") } };
    },
  };
  return { session, app: openApp("/users?search=a", routes) };
}

const toldByAnotherTab = (newValue: string) =>
  act(() => void window.dispatchEvent(new StorageEvent("storage", { key: "triptych.session", newValue })));

const signInDialog = () => screen.findByRole("dialog", { name: "Your session has ended" });

async function expireWhileTyping() {
  const user = userEvent.setup();
  const { session, app } = expiring();
  await user.click(await screen.findByRole("button", { name: "New user" }));
  const form = await screen.findByRole("dialog", { name: "New user" });
  await user.type(within(form).getByLabelText("Email"), "eve@example.com");
  await user.type(within(form).getByLabelText("Full name"), "Eve");
  await user.type(within(form).getByLabelText("Password"), "correct horse battery");
  session.live = false;
  await user.click(within(form).getByRole("button", { name: "Create user" }));
  const dialog = await signInDialog();
  return { user, session, app, form, dialog };
}

describe("a session that ends while a form is open", () => {
  it("is asked for again over the form, which keeps what was typed", async () => {
    const { user, app, form, dialog } = await expireWhileTyping();
    expect(document.body).not.toHaveTextContent("eyJ");
    await user.type(within(dialog).getByLabelText("Email"), "admin@example.com");
    await user.type(within(dialog).getByLabelText("Password"), "secret");
    await user.click(within(dialog).getByRole("button", { name: "Sign in" }));
    await waitFor(() => expect(screen.queryByText("Your session has ended")).not.toBeInTheDocument());
    expect(within(form).getByLabelText("Email")).toHaveValue("eve@example.com");
    await user.click(within(form).getByRole("button", { name: "Create user" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(app.router.state.location.href).toBe("/users?search=a");
  });

  it("goes on when the user signs in in another tab", async () => {
    const { session, form } = await expireWhileTyping();
    session.live = true;
    toldByAnotherTab("1 1700000000000");
    await waitFor(() => expect(screen.queryByText("Your session has ended")).not.toBeInTheDocument());
    expect(within(form).getByLabelText("Email")).toHaveValue("eve@example.com");
  });

  it("can be left for the login page, which leads back", async () => {
    const { user, app, dialog } = await expireWhileTyping();
    await user.click(within(dialog).getByRole("button", { name: "Close" }));
    await waitFor(() => expect(app.router.state.location.search).toEqual({ ended: true, next: "/users?search=a" }));
    expect(await screen.findByRole("heading", { name: "Sign in to Triptych" })).toBeInTheDocument();
  });
});

describe("a session that ends unnoticed", () => {
  it("leaves the page as it is, and asks to sign in", async () => {
    const { session, app } = expiring();
    await screen.findByText("admin@example.com", { selector: "td" });
    session.live = false;
    await act(() => app.queryClient.invalidateQueries({ queryKey: ["session"] }));
    await signInDialog();
    expect(screen.getByText("admin@example.com", { selector: "td" })).toBeInTheDocument();
  });
});

describe("another tab", () => {
  it("that signs out takes this one to the login page, with nothing of the user left", async () => {
    const { app } = expiring();
    await screen.findByText("admin@example.com", { selector: "td" });
    toldByAnotherTab("out 1700000000000");
    await screen.findByRole("heading", { name: "Sign in to Triptych" });
    await waitFor(() => expect(app.queryClient.getQueriesData({ queryKey: ["users"] })).toEqual([]));
  });

  it("that signs in takes the login page to where it was going", async () => {
    let signed_in = false;
    const { router } = openApp("/login?next=%2Fabout", {
      ...signedInAs("viewer"),
      "GET /bff/config": () => ({ body: { environment: "alpha", version: "0.1.0", signed_in } }),
    });
    await screen.findByRole("heading", { name: "Sign in to Triptych" });
    signed_in = true;
    toldByAnotherTab("1 1700000000000");
    expect(await screen.findByRole("heading", { name: "About" })).toBeInTheDocument();
    expect(router.state.location.pathname).toBe("/about");
  });
});
