import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { BACKEND, DELIVERY, WEBHOOK } from "./bodies";
import { openApp, signedInAs, type Handler } from "./harness";

const openWebhooks = (path: string, routes: Record<string, Handler> = {}) => ({
  user: userEvent.setup(),
  ...openApp(path, { ...signedInAs("admin"), ...BACKEND, ...routes }),
});

describe("webhooks", () => {
  it("are made, the secret shown once", async () => {
    const { user, sent } = openWebhooks("/integrations", { "POST /api/v1/webhooks": () => ({ status: 201, body: { ...WEBHOOK, secret: "whsec-1" } }) });
    await user.click(await screen.findByRole("button", { name: "New webhook" }));
    const dialog = within(await screen.findByRole("dialog", { name: "New webhook" }));
    await user.type(dialog.getByLabelText("Address"), " https://hooks.example.com/2 ");
    await user.clear(dialog.getByLabelText("Events"));
    await user.type(dialog.getByLabelText("Events"), "users.*,  guard.create_rule");
    await user.click(dialog.getByRole("button", { name: "Create webhook" }));
    expect(await screen.findByText("whsec-1")).toBeInTheDocument();
    const made = sent.find(({ method }) => method === "POST")?.json;
    expect(made).toEqual({ url: "https://hooks.example.com/2", events: ["users.*", "guard.create_rule"], description: "", enabled: true });
    await user.click(screen.getByRole("button", { name: "Done" }));
    expect(screen.queryByText("whsec-1")).not.toBeInTheDocument();
  });

  it("show the backend's message at the field it is about", async () => {
    const errors = { json: { events: { 0: ["Not a pattern."] } } };
    const { user } = openWebhooks("/integrations", { "PATCH /api/v1/webhooks/3": () => ({ status: 422, body: { title: "Unprocessable", errors } }) });
    await user.click(await screen.findByRole("button", { name: `Edit the webhook ${WEBHOOK.url}` }));
    const dialog = within(await screen.findByRole("dialog", { name: "Edit webhook" }));
    await user.click(dialog.getByRole("button", { name: "Save changes" }));
    await waitFor(() => expect(dialog.getByLabelText("Events")).toHaveAccessibleDescription("Not a pattern."));
  });

  it.each([
    ["Replace the secret of", "Replace secret", "POST /api/v1/webhooks/3/secret", "whsec-2"],
    ["Delete the webhook", "Delete webhook", "DELETE /api/v1/webhooks/3", undefined],
  ])("%s asks first", async (opener, title, request, secret) => {
    const { user, sent } = openWebhooks("/integrations", { [request]: () => (secret ? { body: { ...WEBHOOK, secret } } : { status: 204 }) });
    await user.click(await screen.findByRole("button", { name: `${opener} ${WEBHOOK.url}` }));
    expect(sent.some(({ method }) => method !== "GET")).toBe(false);
    await user.click(within(await screen.findByRole("dialog", { name: title })).getByRole("button", { name: title }));
    if (secret) expect(await screen.findByText(secret)).toBeInTheDocument();
    else await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
  });

  it("are tried out, and a refusal is told", async () => {
    let answer: Awaited<ReturnType<Handler>> = { status: 202, body: {} };
    const { user } = openWebhooks("/integrations", { "POST /api/v1/webhooks/3/test": () => answer });
    const send = await screen.findByRole("button", { name: `Send a test to ${WEBHOOK.url}` });
    await user.click(send);
    expect(await screen.findByText(`A test is on its way to ${WEBHOOK.url}.`)).toBeInTheDocument();
    answer = { status: 409, body: { title: "Conflict", detail: "The webhook is disabled.", request_id: "r-1" } };
    await user.click(send);
    expect(await screen.findByRole("alert")).toHaveTextContent(/The webhook is disabled\..*r-1/);
  });
});

describe("deliveries", () => {
  it("show how they went, and are sent again", async () => {
    const { user, sent } = openWebhooks("/integrations?tab=deliveries&state=dead", { "POST /api/v1/webhooks/deliveries/d1/redeliver": () => ({ body: { ...DELIVERY, state: "pending" } }) });
    const row = within(await screen.findByRole("row", { name: /users\.create/ }));
    expect(row.getByText("Given up")).toBeInTheDocument();
    expect(row.getByText(/^500 · .* · 12 ms$/)).toBeInTheDocument();
    await user.click(row.getByRole("button", { name: "Send again" }));
    expect(await screen.findByText("The delivery is on its way again.")).toBeInTheDocument();
    const lists = sent.filter(({ path }) => path === "/api/v1/webhooks/deliveries");
    expect(lists[0]?.query.get("state")).toBe("dead");
    await waitFor(() => expect(sent.filter(({ path }) => path === "/api/v1/webhooks/deliveries").length).toBeGreaterThan(1));
  });

  it("keep the chosen state in the URL", async () => {
    const { user, router } = openWebhooks("/integrations?tab=deliveries&page=2");
    await user.selectOptions(await screen.findByLabelText("State"), "Delivered");
    await waitFor(() => expect(router.state.location.search).toEqual({ tab: "deliveries", state: "delivered" }));
  });
});
