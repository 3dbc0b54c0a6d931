import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import { BACKEND, MARKUP } from "./bodies";
import { openApp, signedInAs, type Handler } from "./harness";

interface Form {
  name: string;
  path: string;
  /** The button that opens its dialog; none where the form is part of the page. */
  opener?: string;
  fill: Record<string, string>;
  submit: string;
  request: string;
}

/** Every form that sends something; editing shares them with creating. */
const FORMS: Form[] = [
  { name: "New user", path: "/users", opener: "New user", fill: { Email: "eve@example.com", "Full name": MARKUP, Password: "correct horse" }, submit: "Create user", request: "POST /api/v1/users" },
  { name: "New rule", path: "/guard", opener: "New rule", fill: { Prefix: "192.0.2.0/24", Comment: MARKUP }, submit: "Create rule", request: "POST /api/v1/guard/rules" },
  { name: "Policy", path: "/guard?tab=policy", fill: {}, submit: "Save changes", request: "PUT /api/v1/guard/policy" },
  { name: "New webhook", path: "/integrations", opener: "New webhook", fill: { Address: "https://hooks.example.com", Description: MARKUP }, submit: "Create webhook", request: "POST /api/v1/webhooks" },
  { name: "Start a job", path: "/jobs", opener: "Start a job", fill: { "Users as CSV": MARKUP }, submit: "Start", request: "POST /api/v1/jobs" },
  { name: "New API key", path: "/profile?tab=api-keys", opener: "New API key", fill: { Name: MARKUP }, submit: "Create key", request: "POST /api/v1/api-keys" },
  {
    name: "Password",
    path: "/profile?tab=security",
    fill: { "Current password": "old", "New password": MARKUP, "New password, again": MARKUP },
    submit: "Change the password",
    request: "POST /api/v1/auth/password",
  },
];

const problem = (status: number, detail: string) => ({ status, body: { title: "Title", detail, request_id: "r-42" } });
const REFUSALS: [handler: Handler, shown: RegExp][] = [
  [() => Promise.reject(new TypeError("Failed to fetch")), /The server cannot be reached/],
  [() => problem(403, "Not for your role."), /Not for your role\..*r-42/],
  [() => problem(409, `There is one: ${MARKUP}`), /There is one: <img.*r-42/],
  [() => problem(412, "Changed."), /Somebody else has changed this.*r-42/],
  [() => problem(422, "This makes no sense."), /This makes no sense\..*r-42/],
  [() => ({ ...problem(429, "Slow down."), headers: { "retry-after": "7" } }), /Try again in 7 seconds.*r-42/],
  [() => ({ status: 500, body: "<pre>Traceback: eyJhbGciOi</pre>" }), /The server answered with status 500/],
  [() => problem(503, "The database does not answer."), /The database does not answer\..*r-42/],
];

async function openForm({ name, path, opener }: Form, request: string, handler: Handler) {
  const user = userEvent.setup();
  const app = openApp(path, { ...signedInAs("admin"), ...BACKEND, [request]: handler });
  if (!opener) return { user, ...app, form: within(await screen.findByRole("region", { name })) };
  await user.click(await screen.findByRole("button", { name: opener }));
  return { user, ...app, form: within(await screen.findByRole("dialog", { name })) };
}

describe.each(FORMS)("the form $name", (form) => {
  it("keeps what was typed through every refusal, tells each, and sends nothing twice", async () => {
    let handler: Handler = () => new Promise(() => undefined);
    const { user, sent, queryClient, form: shown } = await openForm(form, form.request, (request) => handler(request));
    for (const [label, text] of Object.entries(form.fill)) {
      await user.clear(await shown.findByLabelText(label));
      await user.paste(text);
    }
    const submit = await shown.findByRole("button", { name: form.submit });
    for (const [refusal, message] of REFUSALS) {
      handler = async (request) => {
        // Long enough for an impatient second click.
        await user.click(submit);
        return refusal(request);
      };
      await user.click(submit);
      await waitFor(() => expect(shown.getByRole("alert")).toHaveTextContent(message));
      for (const [label, text] of Object.entries(form.fill)) expect(shown.getByLabelText(label)).toHaveValue(text);
      expect(document.querySelector("img")).not.toBeInTheDocument();
      expect(document.body).not.toHaveTextContent(/Traceback|eyJ/);
    }
    const [method, path] = form.request.split(" ");
    expect(sent.filter((request) => request.method === method && request.path === path)).toHaveLength(REFUSALS.length);
    expect(queryClient.isMutating()).toBe(0);
  });
});
