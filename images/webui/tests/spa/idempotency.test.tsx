import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { sendOnce } from "@/api/idempotency";
import { BACKEND } from "./bodies";
import { openApp, signedInAs, type Handler } from "./harness";

const lost: Handler = () => Promise.reject(new TypeError("Failed to fetch"));
const queued: Handler = () => ({ status: 202, body: { id: "1" } });
const UNKNOWN: [why: string, answer: Handler][] = [
  ["gets lost", lost],
  ["is that the backend does not answer", () => ({ status: 503, body: { detail: "Away." } })],
  ["is that the first still runs", () => ({ status: 409, body: { detail: "It still runs." } })],
];

/** Starts the same job as often as there are answers; the keys that were sent. */
async function start(answers: Handler[]) {
  const user = userEvent.setup();
  let tries = 0;
  const answer: Handler = (request) => (answers[tries++] ?? lost)(request);
  const { sent, queryClient } = openApp("/jobs", { ...signedInAs("admin"), ...BACKEND, "POST /api/v1/jobs": answer });
  while (tries < answers.length) {
    if (!screen.queryByRole("dialog")) await user.click(await screen.findByRole("button", { name: "Start a job" }));
    const dialog = within(await screen.findByRole("dialog", { name: "Start a job" }));
    await user.clear(dialog.getByLabelText("Users as CSV"));
    await user.paste("email,full_name,role");
    const before = tries;
    await user.click(dialog.getByRole("button", { name: "Start" }));
    if (answers[before] === queued) await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
    else await dialog.findByRole("alert");
    await waitFor(() => expect(queryClient.isMutating()).toBe(0));
  }
  return sent.filter(({ method, path }) => `${method} ${path}` === "POST /api/v1/jobs").map(({ headers }) => headers.get("idempotency-key"));
}

it.each(UNKNOWN)("sends the same key again when the answer %s", async (_, answer) => {
  const [first, second, third] = await start([answer, queued, queued]);
  expect(first).toMatch(/^[0-9a-f]{32}$/);
  expect(second).toBe(first);
  expect(third).not.toBe(first); // a good answer ends it: the same once more is a new wish
});

it("takes a new key after a refusal", async () => {
  const [first, second] = await start([() => ({ status: 422, body: { detail: "No." } }), queued]);
  expect(second).not.toBe(first);
});

it("forgets a key after a while, and no newer one of the same request", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const sent: (string | null)[] = [];
  let isAnswered = false;
  vi.stubGlobal("fetch", (request: Request) => {
    sent.push(request.headers.get("idempotency-key"));
    return isAnswered ? Promise.resolve(new Response()) : Promise.reject(new TypeError("Failed to fetch"));
  });
  const send = () => sendOnce(new Request("http://ui.example/api/v1/jobs", { method: "POST", body: "{}" })).catch(() => undefined);
  await send();
  isAnswered = true;
  await send();
  isAnswered = false;
  vi.advanceTimersByTime(4 * 60_000);
  await send();
  vi.advanceTimersByTime(2 * 60_000); // six minutes after the first, two after the second
  await send();
  vi.advanceTimersByTime(4 * 60_000);
  await send();
  const [first, answered, second, repeated, late] = sent;
  expect([answered, repeated]).toEqual([first, second]);
  expect(new Set([first, second, late]).size).toBe(3);
});
