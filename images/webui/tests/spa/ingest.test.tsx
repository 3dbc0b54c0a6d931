import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { IngestNode, IngestStreams, Role } from "@/api/types";
import { openApp, PERMISSIONS, signedInAs } from "./harness";

const NODE: IngestNode = {
  address: "192.0.2.1:50051",
  node: "worker-1",
  error: "",
  streams: [
    {
      port: 514,
      mode: "af_xdp",
      reason: "<b>bound</b>",
      counters: {
        received: 12_345,
        delivered: 12_000,
        pending: 5,
        dropped: [
          { cause: "no_subscriber", datagrams: 40 },
          { cause: "ring_full", datagrams: 300 },
        ],
      },
      subscribers: 2,
      received_per_second: null,
      dropped_per_second: 7,
    },
  ],
  queues: [],
  subscriptions: [],
};

const EVERYBODY: Role[] = ["admin", "maintainer", "viewer"];
const row = (name: string, roles: Role[]) => ({ name, method: "GET", path: `/api/v1/${name}`, summary: name, public: false, session_only: false, roles });
const permissions = {
  ...PERMISSIONS,
  operations: [...PERMISSIONS.operations, row("ingest.list_streams", EVERYBODY), row("ingest.tail", ["admin", "maintainer"])],
};

function openIngest(path: string, role: Role, streams: Partial<IngestStreams> = {}, routes: Parameters<typeof openApp>[1] = {}) {
  return openApp(path, {
    ...signedInAs(role),
    "GET /api/v1/permissions": () => ({ body: permissions }),
    "GET /api/v1/ingest/streams": () => ({ body: { state: "running", detail: "", nodes: [NODE], ...streams } }),
    ...routes,
  });
}

describe("ingest streams", () => {
  it("show counters, rates and losses by cause, markup as text", async () => {
    openIngest("/ingest", "viewer");
    const node = await screen.findByRole("region", { name: "Node worker-1" });
    const cells = within(node).getAllByRole("cell").map(({ textContent }) => textContent);
    expect(cells).toEqual(["514", "af_xdp<b>bound</b>", "12,345", "–", "12,000", "5", "340", "7", "2"]);
    const losses = within(within(node).getByRole("region", { name: "Loss by cause" })).getAllByRole("listitem");
    expect(losses.map(({ textContent }) => textContent)).toEqual(["ring_full300", "no_subscriber40"]);
    expect(screen.queryByRole("tab", { name: "Live tail" })).not.toBeInTheDocument();
  });

  it("tell which node does not answer", async () => {
    openIngest("/ingest", "viewer", { nodes: [NODE, { ...NODE, address: "192.0.2.2:50051", node: "", error: "deadline exceeded", streams: [] }] });
    const node = await screen.findByRole("region", { name: "Node 192.0.2.2:50051" });
    expect(within(node).getByText("deadline exceeded")).toBeInTheDocument();
    expect(within(node).queryByRole("table")).not.toBeInTheDocument();
  });

  it.each([
    ["not_installed", /The fast path is not installed\./],
    ["unavailable", /No fast-path node answers\./],
  ] as const)("say that the fast path is %s", async (state, text) => {
    openIngest("/ingest", "viewer", { state, nodes: [] });
    expect(await screen.findByText(text)).toBeInTheDocument();
  });

  it("show a failure with its request id and try again", async () => {
    const user = userEvent.setup();
    let fails = true;
    const body = { title: "Broken", detail: "No answer.", status: 500, request_id: "r-5" };
    openIngest("/ingest", "viewer", {}, {
      "GET /api/v1/ingest/streams": () => (fails ? { status: 500, body } : { body: { state: "running", detail: "", nodes: [NODE] } }),
    });
    expect(await screen.findByRole("alert")).toHaveTextContent(/No answer\..*r-5/);
    fails = false;
    await user.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("worker-1")).toBeInTheDocument();
  });
});

describe("live tail", () => {
  class Source extends EventTarget {
    static readonly CLOSED = 2;
    static opened: Source[] = [];
    readyState = 1;
    constructor(readonly url: string) {
      super();
      Source.opened.push(this);
    }
    close() {
      this.readyState = Source.CLOSED;
    }
    frame(kind: string, data: unknown) {
      act(() => void this.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(data) })));
    }
    tell(kind: string) {
      act(() => void this.dispatchEvent(new Event(kind)));
    }
  }

  beforeEach(() => {
    Source.opened = [];
    vi.stubGlobal("EventSource", Source);
  });

  async function openTail(path: string) {
    openIngest(path, "maintainer");
    await screen.findByText("No datagram yet");
    const source = Source.opened.at(-1);
    if (!source) throw new Error("no stream was opened");
    return source;
  }

  it("shows datagrams newest first, and a node's error without taking it for a broken connection", async () => {
    const source = await openTail("/ingest?tab=tail");
    source.tell("open");
    source.frame("datagram", { port: 514, source: "192.0.2.9", payload_hex: "3c31" });
    source.frame("error", { address: "192.0.2.2:50051", detail: "node is away" });
    const items = screen.getAllByRole("listitem").filter(({ textContent }) => /datagram|error/.test(textContent));
    expect(items.map(({ textContent }) => textContent)).toEqual([
      expect.stringContaining("node is away"),
      expect.stringContaining("source: 192.0.2.9"),
    ]);
    expect(screen.getByText("Live")).toBeInTheDocument();
    source.close();
    source.tell("error");
    expect(screen.getByText("Not connected")).toBeInTheDocument();
  });

  it("is limited to the port of the URL", async () => {
    const user = userEvent.setup();
    const source = await openTail("/ingest?tab=tail&port=6343");
    expect(source.url).toMatch(/\/api\/v1\/ingest\/tail\?ports=6343$/);
    await screen.findByRole("option", { name: "514" });
    await user.selectOptions(screen.getByLabelText("Port"), "All ports");
    await waitFor(() => expect(Source.opened.at(-1)?.url).toMatch(/\/api\/v1\/ingest\/tail$/));
    expect(source.readyState).toBe(Source.CLOSED);
  });
});
