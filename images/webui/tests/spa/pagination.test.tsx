import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { openApp, signedInAs, userOf, type Handler } from "./harness";

it("shows one page of ten thousand users, and leads to both ends", async () => {
  const user = userEvent.setup();
  const users = Array.from({ length: 20 }, (_, index) => ({ ...userOf("viewer", 2), id: 100 + index, email: `user${index}@example.com` }));
  const answer: Handler = ({ query }) => {
    const shown = Number(query.get("page"));
    return { body: { users: shown > 500 ? [] : users, pagination: { page: shown, per_page: 20, total: 10_000, pages: 500 } } };
  };
  const { router } = openApp("/users", { ...signedInAs("admin"), "GET /api/v1/users": answer });
  const pages = within(await screen.findByRole("navigation", { name: "Pages" }));
  expect(screen.getAllByRole("row")).toHaveLength(21);
  expect(pages.getByText("1–20 of 10,000")).toBeInTheDocument();
  await user.click(pages.getByRole("button", { name: "Last page" }));
  expect(await pages.findByText("9,981–10,000 of 10,000")).toBeInTheDocument();
  expect(pages.getByRole("button", { name: "Next page" })).toBeDisabled();
  await act(() => router.navigate({ to: "/users", search: { page: 900 } }));
  await user.click(await screen.findByRole("button", { name: "Previous page" }));
  await waitFor(() => expect(router.state.location.search).toEqual({ page: 500 }));
  await user.click(screen.getByRole("button", { name: "First page" }));
  await waitFor(() => expect(router.state.location.search).toEqual({}));
});
