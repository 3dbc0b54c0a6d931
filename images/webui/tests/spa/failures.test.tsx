import { act, screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import { BACKEND, MARKUP } from "./bodies";
import { Source } from "./event-source";
import { openApp, signedInAs, type Handler } from "./harness";

/** Every page and tab that loads something, what it loads, and whether markup of the backend is shown there. */
const PAGES: [path: string, request: string, markup: boolean][] = [
  ["/", "GET /api/v1/status", true],
  ["/", "GET /api/v1/status/traffic", true],
  ["/system", "GET /api/v1/status", true],
  ["/users", "GET /api/v1/users", true],
  ["/users/2", "GET /api/v1/users/2", true],
  ["/users/2?tab=api-keys", "GET /api/v1/api-keys", true],
  ["/users/2?tab=activity", "GET /api/v1/audit", true],
  ["/audit", "GET /api/v1/audit", true],
  ["/profile?tab=security", "GET /api/v1/auth/totp", false],
  ["/profile?tab=sessions", "GET /api/v1/auth/sessions", true],
  ["/profile?tab=api-keys", "GET /api/v1/api-keys", true],
  ["/guard", "GET /api/v1/guard/rules", true],
  ["/guard?tab=traffic", "GET /api/v1/guard/status", true],
  ["/guard?tab=policy", "GET /api/v1/guard/policy", false],
  ["/guard?tab=drops", "GET /api/v1/guard/status", false],
  ["/ingest", "GET /api/v1/ingest/streams", true],
  ["/ingest?tab=queues", "GET /api/v1/ingest/streams", true],
  ["/ingest?tab=tail", "GET /api/v1/ingest/streams", false],
  ["/integrations", "GET /api/v1/webhooks", true],
  ["/integrations?tab=deliveries", "GET /api/v1/webhooks/deliveries", true],
  ["/jobs", "GET /api/v1/jobs", true],
];

const problem = (status: number, detail: string) => ({ status, body: { title: "Title", detail, request_id: "r-42" } });
const LEAK = "<pre>Traceback (most recent call last): eyJhbGciOi</pre>";

const FAILURES: [name: string, handler: Handler, shown: RegExp][] = [
  ["the server is away", () => Promise.reject(new TypeError("Failed to fetch")), /The server cannot be reached/],
  ["it is forbidden", () => problem(403, "Not for your role."), /Not for your role\..*r-42/],
  ["there is nothing", () => problem(404, "There is none."), /There is none\..*r-42/],
  ["there are too many requests", () => ({ ...problem(429, "Slow down."), headers: { "retry-after": "7" } }), /Try again in 7 seconds.*r-42/],
  ["the server breaks", () => ({ status: 500, body: LEAK, headers: { "x-request-id": "r-43" } }), /The server answered with status 500\..*r-43/],
  ["the database is away", () => problem(503, "The database does not answer."), /The database does not answer\..*r-42/],
];

beforeEach(() => Source.install());

describe.each(PAGES)("%s, from %s", (path, request, markup) => {
  it("shows that it loads, each failure with its request id, and then what was sent, as text", async () => {
    let answer: () => void = () => undefined;
    let handler: Handler = (sent) => new Promise<void>((resolve) => (answer = resolve)).then(() => handler(sent));
    const { queryClient } = openApp(path, { ...signedInAs("admin"), ...BACKEND, [request]: (sent) => handler(sent) });
    // A second try by itself would only make the test slower.
    queryClient.setDefaultOptions({ queries: { ...queryClient.getDefaultOptions().queries, retry: false } });
    await waitFor(() => expect(document.querySelector(".animate-pulse, [aria-busy=true]")).toBeInTheDocument());
    expect(screen.queryByRole("alert")).not.toBeInTheDocument();

    const answerWith = (next: Handler) => {
      handler = next;
      answer();
      act(() => void queryClient.refetchQueries({ type: "active" }));
    };
    for (const [, failure, shown] of FAILURES) {
      answerWith(failure);
      await waitFor(() => expect(alerts()).toMatch(shown));
      expect(document.body).not.toHaveTextContent(/Traceback|eyJ/);
    }

    answerWith(BACKEND[request] ?? (() => ({ body: { scope: "platform", step_seconds: 10, points: [] } })));
    await waitFor(() => expect(screen.queryByRole("alert")).not.toBeInTheDocument());
    expect(document.querySelector("[aria-busy=true]")).not.toBeInTheDocument();
    if (markup) expect((await screen.findAllByText(MARKUP, { exact: false })).length).toBeGreaterThan(0);
    expect(document.querySelector("img")).not.toBeInTheDocument();
  });
});

const alerts = () => screen.queryAllByRole("alert").map(({ textContent }) => textContent).join(" ");
