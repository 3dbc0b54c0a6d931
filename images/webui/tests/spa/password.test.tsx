import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { openApp, userOf } from "./harness";

const pending = { ...userOf("admin"), must_change_password: true };
const session = { "GET /bff/session": () => ({ body: { user: pending } }) };

async function type(current: string, wanted: string, again: string) {
  const user = userEvent.setup();
  await user.type(await screen.findByLabelText("Current password"), current);
  await user.type(screen.getByLabelText("New password"), wanted);
  await user.type(screen.getByLabelText("New password, again"), again);
  return user;
}

describe("a forced change of password", () => {
  it("comes before everything else and ends at the login page", async () => {
    const { sent } = openApp("/users", {
      ...session,
      "POST /api/v1/auth/password": () => ({ status: 204 }),
      "POST /bff/logout": () => ({ status: 204 }),
    });
    const user = await type("old secret", "new secret phrase", "new secret phrase");
    expect(window.location.pathname).toBe("/password");
    await user.click(screen.getByRole("button", { name: "Change the password" }));
    await waitFor(() => expect(window.location.pathname).toBe("/login"));
    const change = sent.find(({ path }) => path === "/api/v1/auth/password");
    expect(change?.json).toEqual({ current_password: "old secret", new_password: "new secret phrase" });
    expect(sent.some(({ path }) => path === "/api/v1/permissions")).toBe(false);
  });

  it("does not send two passwords that differ", async () => {
    openApp("/", session);
    await type("old secret", "new secret phrase", "another");
    expect(screen.getByText("The two new passwords differ.")).toBeVisible();
    expect(screen.getByRole("button", { name: "Change the password" })).toBeDisabled();
  });

  it("tells why a password is refused and keeps the form", async () => {
    const detail = "The password is too easy to guess.";
    const body = { type: "about:blank", title: "Unprocessable", status: 422, detail };
    openApp("/", { ...session, "POST /api/v1/auth/password": () => ({ status: 422, body }) });
    const user = await type("old secret", "password1234", "password1234");
    await user.click(screen.getByRole("button", { name: "Change the password" }));
    expect(await screen.findByRole("alert")).toHaveTextContent(detail);
    expect(screen.getByLabelText("Current password")).toHaveValue("old secret");
  });

  it("is no place for others", async () => {
    openApp("/password", { "GET /bff/session": () => ({ body: { user: userOf("admin") } }) });
    await waitFor(() => expect(window.location.pathname).toBe("/"));
  });
});
