import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { openApp, PERMISSIONS, STATUS, userOf } from "./harness";

// What the server writes into the page; the modules read it when they load.
vi.hoisted(() => {
  document.head.innerHTML = '<meta name="base-path" content="/console/ui">';
});

it("asks and moves below the base path", async () => {
  const base = "/console/ui";
  let signedIn = false;
  const { sent } = openApp(`${base}/roles`, {
    [`GET ${base}/bff/config`]: () => ({ body: { environment: "alpha", version: "0.1.0", signed_in: signedIn } }),
    [`GET ${base}/bff/session`]: () => (signedIn ? { body: { user: userOf("admin") } } : { status: 401 }),
    [`POST ${base}/bff/login`]: () => {
      signedIn = true;
      return { body: { user: userOf("admin") } };
    },
    [`GET ${base}/api/v1/permissions`]: () => ({ body: PERMISSIONS }),
    [`GET ${base}/api/v1/status`]: () => ({ body: STATUS }),
  });
  await userEvent.type(await screen.findByLabelText("Email"), "admin@example.com");
  expect(window.location.pathname).toBe(`${base}/login`);
  expect(new URLSearchParams(window.location.search).get("next")).toBe("/roles");
  await userEvent.type(screen.getByLabelText("Password"), "admin");
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
  expect(await screen.findByRole("heading", { name: "Roles" })).toBeVisible();
  expect(window.location.pathname).toBe(`${base}/roles`);
  expect(screen.getByRole("link", { name: "Users" })).toHaveAttribute("href", `${base}/users`);
  for (const { path } of sent) expect(path).toMatch(/^\/console\/ui\//);
});
