import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { safePath } from "@/lib/safe-path";
import { openApp, userOf } from "./harness";

async function submit() {
  const user = userEvent.setup();
  await user.type(await screen.findByLabelText("Email"), "admin@example.com");
  await user.type(screen.getByLabelText("Password"), "secret");
  await user.click(screen.getByRole("button", { name: "Sign in" }));
}

describe("login page", () => {
  it.each([
    [401, {}, "The email or the password is wrong."],
    [429, { "retry-after": "17" }, "Too many attempts. Try again in 17 seconds."],
    [503, {}, "The platform is not available at the moment. Try again in a few seconds."],
    [500, {}, "Broken"],
  ])("explains status %i, names the request and keeps the form", async (status, headers, message) => {
    const body = { type: "about:blank", title: "Broken", status, request_id: "req-7" };
    openApp("/login", { "POST /bff/login": () => ({ status, headers, body }) });
    await submit();
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent(message);
    expect(alert).toHaveTextContent("req-7");
    expect(screen.getByLabelText("Email")).toHaveValue("admin@example.com");
    expect(screen.getByLabelText("Password")).toHaveValue("secret");
  });

  it("asks for a code where the account has a second factor", async () => {
    const { sent } = openApp("/login?next=/users", {
      "POST /bff/login": () => ({ status: 202, body: { challenge_token: "c1", expires_in: 300 } }),
      "POST /bff/login/second-factor": () => ({ status: 401, body: { title: "No", status: 401, detail: "Wrong code" } }),
    });
    await submit();
    await userEvent.type(await screen.findByLabelText(/Code of your authenticator/), "123 456");
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("The code is wrong, or the login took too long.");
    expect(sent.at(-1)?.json).toEqual({ challenge_token: "c1", code: "123456" });
    await userEvent.click(screen.getByRole("button", { name: "Start again" }));
    expect(await screen.findByLabelText("Email")).toBeVisible();
  });

  it("holds the button back while throttled, and counts down", async () => {
    openApp("/login", { "POST /bff/login": () => ({ status: 429, headers: { "retry-after": "600" } }) });
    await submit();
    const button = await screen.findByRole("button", { name: /^Wait \d+ s$/ });
    expect(button).toBeDisabled();
    const seconds = () => Number(/\d+/.exec(button.textContent)?.[0]);
    const before = seconds();
    await waitFor(() => expect(seconds()).toBeLessThan(before));
  });

  it("says when no answer comes at all", async () => {
    openApp("/login", {
      "POST /bff/login": () => {
        throw new TypeError("Failed to fetch");
      },
    });
    await submit();
    expect(await screen.findByRole("alert")).toHaveTextContent("The server cannot be reached.");
  });

  it("sends the CSRF header, and goes on to the page that was asked for", async () => {
    const { sent, router } = openApp("/users?page=2", {
      "POST /bff/login": () => ({ body: { user: userOf("viewer") } }),
    });
    await submit();
    await waitFor(() => expect(router.state.location.href).toBe("/users?page=2"));
    const login = sent.find(({ path }) => path === "/bff/login");
    expect(login?.headers.get("x-requested-with")).toBe("triptych");
    expect(login?.json).toEqual({ email: "admin@example.com", password: "secret" });
  });

  it("comes back when a session ends", async () => {
    openApp("/", {
      "GET /bff/session": () => ({ body: { user: userOf("viewer") } }),
      "GET /api/v1/status": () => ({ status: 401 }),
    });
    expect(await screen.findByText(/Your session has ended/)).toBeInTheDocument();
  });

  it("shows the seed login in alpha only", async () => {
    openApp("/login");
    expect(await screen.findByText(/Alpha environment/)).toBeInTheDocument();
  });

  it("does not show it elsewhere", async () => {
    const body = { environment: "production", version: "1", signed_in: false };
    openApp("/login", { "GET /bff/config": () => ({ body }) });
    await screen.findByLabelText("Email");
    expect(screen.queryByText(/Alpha environment/)).not.toBeInTheDocument();
  });
});

describe("the page after login", () => {
  it.each(["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/login?next=/login", undefined])(
    "is never %s",
    (next) => expect(safePath(next)).toBe("/"),
  );
  it("is the one asked for", () => expect(safePath("/users?page=2")).toBe("/users?page=2"));
});
