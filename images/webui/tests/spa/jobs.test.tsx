import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";
import type { Job, Role } from "@/api/types";
import { JOB } from "./bodies";
import { openApp, signedInAs, type Handler } from "./harness";

const RUNNING: Job = { ...JOB, id: "j2", state: "running", error: "", finished_at: null };

function openJobs(jobs: Job[], { role = "admin", kinds = ["users.import", "audit.export"], routes = {}, path = "/jobs", total = jobs.length }: {
  role?: Role;
  kinds?: string[];
  routes?: Record<string, Handler>;
  path?: string;
  total?: number;
} = {}) {
  const body = { jobs, pagination: { page: 1, per_page: 20, total, pages: Math.ceil(total / 20) }, kinds };
  return { user: userEvent.setup(), ...openApp(path, { ...signedInAs(role), "GET /api/v1/jobs": () => ({ body }), ...routes }) };
}

describe("jobs", () => {
  it("show how far they are, and can be cancelled", async () => {
    const { user, sent } = openJobs([RUNNING], { routes: { "POST /api/v1/jobs/j2/cancel": () => ({ body: RUNNING }) } });
    expect(await screen.findByRole("progressbar", { name: "Progress of users.import" })).toHaveAttribute("value", "2");
    await user.click(screen.getByRole("button", { name: "Cancel job" }));
    await waitFor(() => expect(sent.some(({ path }) => path === "/api/v1/jobs/j2/cancel")).toBe(true));
  });

  it("tell why one could not be cancelled", async () => {
    const answer = { status: 409, body: { title: "Conflict", detail: "The job has ended." } };
    const { user } = openJobs([RUNNING], { routes: { "POST /api/v1/jobs/j2/cancel": () => answer } });
    await user.click(await screen.findByRole("button", { name: "Cancel job" }));
    expect(await screen.findByText("The job has ended.")).toBeInTheDocument();
  });

  it("show a result, and offer the output of those that have one", async () => {
    const done: Job = { ...JOB, kind: "audit.export", state: "succeeded", error: "", result: { events: 7 }, output: "/api/v1/jobs/j1/output" };
    openJobs([done, { ...RUNNING, cancel_requested: true }]);
    expect(await screen.findByText("events: 7")).toBeInTheDocument();
    expect(screen.getByRole("link", { name: "Download" })).toHaveAttribute("href", "/api/v1/jobs/j1/output");
    expect(screen.getByRole("button", { name: "Being cancelled" })).toBeDisabled();
  });

  it("are started with what their kind needs, and a mistake is shown at its field", async () => {
    const errors = { json: { arguments: { csv: ["Line 2 has no email."] } } };
    let answer: Awaited<ReturnType<Handler>> = { status: 422, body: { title: "Unprocessable", errors } };
    const { user, sent } = openJobs([], { routes: { "POST /api/v1/jobs": () => answer } });
    await user.click(await screen.findByRole("button", { name: "Start a job" }));
    const dialog = within(await screen.findByRole("dialog", { name: "Start a job" }));
    await user.type(dialog.getByLabelText("Users as CSV"), "email");
    await user.click(dialog.getByRole("button", { name: "Start" }));
    await waitFor(() => expect(dialog.getByLabelText("Users as CSV")).toHaveAccessibleDescription("Line 2 has no email."));
    answer = { status: 202, body: RUNNING };
    await user.selectOptions(dialog.getByLabelText("Kind"), "audit.export");
    await user.click(dialog.getByRole("button", { name: "Start" }));
    expect(await screen.findByText("The job audit.export is queued.")).toBeInTheDocument();
    expect(sent.filter(({ method }) => method === "POST").map(({ json }) => json)).toEqual([
      { kind: "users.import", arguments: { csv: "email" } },
      { kind: "audit.export", arguments: {} },
    ]);
  });

  it("are only looked at by those who may start none", async () => {
    openJobs([RUNNING], { role: "viewer", kinds: [] });
    expect(await screen.findByText("users.import")).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: /Start a job|Cancel job/ })).not.toBeInTheDocument();
  });

  it("are paged by the URL", async () => {
    const { user, router, sent } = openJobs([RUNNING], { total: 45 });
    await user.click(await screen.findByRole("button", { name: "Next page" }));
    await waitFor(() => expect(sent.findLast(({ path }) => path === "/api/v1/jobs")?.query.get("page")).toBe("2"));
    expect(router.state.location.search).toEqual({ page: 2 });
  });

  it("say when there are none", async () => {
    openJobs([]);
    expect(await screen.findByText("No jobs yet")).toBeInTheDocument();
  });
});
