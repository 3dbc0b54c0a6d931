import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import type { ApiKey, Role, Session } from "@/api/types";
import { openApp, signedInAs } from "./harness";

type Routes = Parameters<typeof openApp>[1];

const refused = (status: number, detail: string) => () => ({ status, body: { title: "Refused", status, detail, request_id: "r-9" } });
const openTab = (tab: string, routes: Routes, role: Role = "maintainer") =>
  openApp(`/profile?tab=${tab}`, { ...signedInAs(role), ...routes });

describe("own password", () => {
  const totp = { "GET /api/v1/auth/totp": () => ({ body: { enabled: false, recovery_codes_left: 0 } }) };

  async function change() {
    const user = userEvent.setup();
    await user.type(await screen.findByLabelText("Current password"), "old secret");
    await user.type(screen.getByLabelText("New password"), "new secret phrase");
    await user.type(screen.getByLabelText("New password, again"), "new secret phrase");
    await user.click(screen.getByRole("button", { name: "Change the password" }));
  }

  it("is changed and ends at the login page", async () => {
    const { sent } = openTab("security", {
      ...totp,
      "POST /api/v1/auth/password": () => ({ status: 204 }),
      "POST /bff/logout": () => ({ status: 204 }),
    });
    await change();
    await waitFor(() => expect(window.location.pathname).toBe("/login"));
    expect(sent.find(({ path }) => path === "/api/v1/auth/password")?.json).toEqual({
      current_password: "old secret",
      new_password: "new secret phrase",
    });
  });

  it("stays in the form when the present one is wrong", async () => {
    openTab("security", { ...totp, "POST /api/v1/auth/password": refused(403, "The current password is wrong.") });
    await change();
    expect(await screen.findByRole("alert")).toHaveTextContent(/The current password is wrong\..*r-9/);
    expect(screen.getByLabelText("New password")).toHaveValue("new secret phrase");
  });
});

describe("second factor", () => {
  const CODES = ["aaaa-1111", "bbbb-2222"];
  const ENROLMENT = { secret: "JBSWY3DP", provisioning_uri: "otpauth://totp/Triptych:m%40example.com?secret=JBSWY3DP" };

  async function confirmWith(confirm: NonNullable<Routes>[string]) {
    const user = userEvent.setup();
    let enabled = false;
    const app = openTab("security", {
      "GET /api/v1/auth/totp": () => ({ body: { enabled, recovery_codes_left: CODES.length } }),
      "POST /api/v1/auth/totp": () => ({ status: 201, body: ENROLMENT }),
      "POST /api/v1/auth/totp/confirm": async (request) => {
        const answer = await confirm(request);
        enabled = !answer.status;
        return answer;
      },
    });
    await user.click(await screen.findByRole("button", { name: "Turn on" }));
    const dialog = await screen.findByRole("dialog", { name: "Turn on the second factor" });
    await user.type(within(dialog).getByLabelText("Current password"), "old secret");
    await user.click(within(dialog).getByRole("button", { name: "Continue" }));
    expect(await within(dialog).findByRole("img", { name: "QR code for the authenticator app" })).toBeInTheDocument();
    expect(within(dialog).getByText("JBSWY3DP")).toBeInTheDocument();
    await user.type(within(dialog).getByLabelText("Code of the app"), "123 456");
    await user.click(within(dialog).getByRole("button", { name: "Confirm" }));
    return { user, dialog, ...app };
  }

  it("is turned on by password and code, and shows the recovery codes once", async () => {
    const { user, dialog, sent } = await confirmWith(() => ({ body: { recovery_codes: CODES } }));
    expect(await within(dialog).findByText(/aaaa-1111\s+bbbb-2222/)).toBeInTheDocument();
    expect(sent.find(({ path }) => path.endsWith("/confirm"))?.json).toEqual({ code: "123456" });
    await user.click(within(dialog).getByRole("button", { name: "Done" }));
    expect(screen.queryByText(/aaaa-1111/)).not.toBeInTheDocument();
    expect(await screen.findByText("Recovery codes left: 2")).toBeInTheDocument();
  });

  it("keeps secret and code when the code is wrong", async () => {
    const { dialog } = await confirmWith(refused(403, "The code is wrong, expired or used already."));
    expect(await within(dialog).findByRole("alert")).toHaveTextContent("The code is wrong, expired or used already.");
    expect(within(dialog).getByLabelText("Code of the app")).toHaveValue("123 456");
    expect(within(dialog).getByText("JBSWY3DP")).toBeInTheDocument();
  });

  async function answerBoth(open: string, submit: string, routes: Routes) {
    const user = userEvent.setup();
    const app = openTab("security", { "GET /api/v1/auth/totp": () => ({ body: { enabled: true, recovery_codes_left: 3 } }), ...routes });
    await user.click(await screen.findByRole("button", { name: open }));
    const dialog = await screen.findByRole("dialog");
    await user.type(within(dialog).getByLabelText("Current password"), "old secret");
    await user.type(within(dialog).getByLabelText("Code of your authenticator, or a recovery code"), "123456");
    await user.click(within(dialog).getByRole("button", { name: submit }));
    return { dialog, ...app };
  }

  it("is turned off by both factors", async () => {
    const { sent } = await answerBoth("Turn off", "Turn off", { "POST /api/v1/auth/totp/disable": () => ({ status: 204 }) });
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(sent.find(({ path }) => path.endsWith("/disable"))?.json).toEqual({ password: "old secret", code: "123456" });
  });

  it("gives new recovery codes, or tells why not and keeps the form", async () => {
    const path = "POST /api/v1/auth/totp/recovery-codes";
    const { dialog, unmount } = await answerBoth("New recovery codes", "Make new codes", { [path]: refused(403, "The code is wrong.") });
    expect(await within(dialog).findByRole("alert")).toHaveTextContent("The code is wrong.");
    expect(within(dialog).getByLabelText("Current password")).toHaveValue("old secret");
    unmount();
    const next = await answerBoth("New recovery codes", "Make new codes", { [path]: () => ({ body: { recovery_codes: CODES } }) });
    expect(await within(next.dialog).findByText(/bbbb-2222/)).toBeInTheDocument();
  });
});

describe("sessions", () => {
  const session = (id: string, current: boolean): Session => ({
    id,
    current,
    address: `192.0.2.${id}`,
    user_agent: "<b>Browser</b>",
    created_at: "2026-11-20T10:00:00Z",
    last_used_at: null,
    expires_at: "2026-12-20T10:00:00Z",
  });
  const list = { "GET /api/v1/auth/sessions": () => ({ body: { sessions: [session("1", true), session("2", false)] } }) };

  it("end one by one, except the present one", async () => {
    const user = userEvent.setup();
    const { sent } = openTab("sessions", { ...list, "DELETE /api/v1/auth/sessions/2": () => ({ status: 204 }) });
    await user.click(await screen.findByRole("button", { name: "End the session from 192.0.2.2" }));
    expect((await screen.findAllByText("The session is ended."))[0]).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: "End the session from 192.0.2.1" })).not.toBeInTheDocument();
    expect(screen.getAllByText("<b>Browser</b>")).toHaveLength(2);
    await waitFor(() => expect(sent.filter(({ path }) => path === "/api/v1/auth/sessions")).toHaveLength(2));
  });

  it("tell why one cannot be ended", async () => {
    const user = userEvent.setup();
    openTab("sessions", { ...list, "DELETE /api/v1/auth/sessions/2": refused(404, "There is no such session.") });
    await user.click(await screen.findByRole("button", { name: "End the session from 192.0.2.2" }));
    expect(await screen.findByRole("alert")).toHaveTextContent(/There is no such session\..*r-9/);
  });

  it("end all together and lead to the login page", async () => {
    const user = userEvent.setup();
    const { sent } = openTab("sessions", {
      ...list,
      "POST /api/v1/auth/logout-all": () => ({ status: 204 }),
      "POST /bff/logout": () => ({ status: 204 }),
    });
    await user.click(await screen.findByRole("button", { name: "Sign out everywhere" }));
    const dialog = await screen.findByRole("dialog", { name: "Sign out everywhere" });
    await user.click(within(dialog).getByRole("button", { name: "Sign out everywhere" }));
    await waitFor(() => expect(window.location.pathname).toBe("/login"));
    expect(sent.some(({ path }) => path === "/api/v1/auth/logout-all")).toBe(true);
  });
});

describe("API keys", () => {
  const KEY: ApiKey = {
    id: 4,
    user_id: 1,
    name: "backup <i>job</i>",
    prefix: "trp_ab12",
    role: "viewer",
    created_at: "2026-11-20T10:00:00Z",
    expires_at: "2027-02-20T10:00:00Z",
    last_used_at: null,
  };
  const list = (...api_keys: ApiKey[]) => ({ "GET /api/v1/api-keys": () => ({ body: { api_keys } }) });

  async function create(answer: NonNullable<Routes>[string]) {
    const user = userEvent.setup();
    const app = openTab("api-keys", { ...list(), "POST /api/v1/api-keys": answer });
    expect(await screen.findByText("No API keys yet")).toBeInTheDocument();
    await user.click(screen.getByRole("button", { name: "New API key" }));
    const dialog = await screen.findByRole("dialog", { name: "New API key" });
    const roles = within(within(dialog).getByLabelText("Role")).getAllByRole("option");
    expect(roles.map(({ textContent }) => textContent)).toEqual(["maintainer", "viewer"]);
    await user.type(within(dialog).getByLabelText("Name"), "backup");
    await user.click(within(dialog).getByRole("button", { name: "Create key" }));
    return { user, dialog, ...app };
  }

  it("are created with no more than one's own role, shown once and copied", async () => {
    const { user, dialog, sent } = await create(() => ({ status: 201, body: { ...KEY, key: "trp_ab12secret" } }));
    expect(await within(dialog).findByText("trp_ab12secret")).toBeInTheDocument();
    expect(sent.find(({ method }) => method === "POST")?.json).toEqual({ name: "backup", role: "viewer", expires_in_days: 90 });
    await user.click(within(dialog).getByRole("button", { name: "Copy" }));
    expect(await within(dialog).findByRole("button", { name: "Copied" })).toBeInTheDocument();
    expect(await navigator.clipboard.readText()).toBe("trp_ab12secret");
    await user.click(within(dialog).getByRole("button", { name: "Done" }));
    expect(screen.queryByText("trp_ab12secret")).not.toBeInTheDocument();
  });

  it("keep the form when one is refused", async () => {
    const errors = { json: { name: ["Taken already."] } };
    const { dialog } = await create(() => ({ status: 422, body: { title: "Unprocessable", errors } }));
    expect(await within(dialog).findByText("Taken already.")).toBeInTheDocument();
    expect(within(dialog).getByLabelText("Name")).toHaveValue("backup");
  });

  it("are revoked after a question, markup shown as text", async () => {
    const user = userEvent.setup();
    const { sent } = openTab("api-keys", { ...list(KEY), "DELETE /api/v1/api-keys/4": () => ({ status: 204 }) });
    await user.click(await screen.findByRole("button", { name: `Revoke the key ${KEY.name}` }));
    const dialog = await screen.findByRole("dialog", { name: "Revoke API key" });
    await user.click(within(dialog).getByRole("button", { name: "Revoke API key" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    expect(sent.some(({ method }) => method === "DELETE")).toBe(true);
  });
});
