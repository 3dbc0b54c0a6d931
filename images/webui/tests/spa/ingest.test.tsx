import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";
import type { IngestNode, IngestQueue, IngestStreams, IngestSubscription, Role } from "@/api/types";
import { Source } from "./event-source";
import { formatPrecise } from "@/lib/format";
import { openApp, signedInAs } from "./harness";

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

function openIngest(path: string, role: Role, streams: Partial<IngestStreams> = {}, routes: Parameters<typeof openApp>[1] = {}) {
  return openApp(path, {
    ...signedInAs(role),
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

  it("draw the rates of a node, and none before it has two looks at them", async () => {
    openIngest("/ingest", "viewer");
    const chart = within(await screen.findByRole("region", { name: "Datagrams per second" }));
    expect(chart.getAllByRole("listitem").map(({ textContent }) => textContent)).toEqual(["Received–", "Lost7"]);
    expect(chart.getByText(/^Counting/)).toBeInTheDocument();
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

describe("queues and subscribers", () => {
  const QUEUE: IngestQueue = {
    name: "eth0/0",
    numa_node: 1,
    page_kind: "2 MiB hugepages",
    reason: "",
    slots: 4096,
    slot_bytes: 2048,
    slots_in_use: 1024,
    rx_ring_full: 3,
    fill_ring_empty: 0,
  };
  const counters = { received: 10, delivered: 7, pending: 1, dropped: [{ cause: "slow", datagrams: 2 }] };
  const SUBSCRIPTION: IngestSubscription = { id: 4, peer: "192.0.2.7:4242", ports: [], counters };
  const cells = (table: HTMLElement) => within(table).getAllByRole("cell").map(({ textContent }) => textContent);

  it("show where datagrams lie and who reads them", async () => {
    openIngest("/ingest?tab=queues", "viewer", { nodes: [{ ...NODE, queues: [QUEUE], subscriptions: [SUBSCRIPTION] }] });
    expect(cells(await screen.findByRole("table", { name: "Queues at worker-1" }))).toEqual(["eth0/0", "1", "2 MiB hugepages, 8 MiB", "1,024 / 4,096", "3", "0"]);
    expect(screen.getByRole("progressbar", { name: "Slots in use of eth0/0" })).toHaveAttribute("value", "1024");
    expect(cells(screen.getByRole("table", { name: "Subscriptions at worker-1" }))).toEqual(["192.0.2.7:4242", "all", "7", "1", "2"]);
  });

  it("say when there are none", async () => {
    openIngest("/ingest?tab=queues", "viewer");
    expect(await screen.findByText("No AF_XDP queue")).toBeInTheDocument();
    expect(screen.getByText("Nobody is subscribed")).toBeInTheDocument();
  });
});

describe("live tail", () => {
  beforeEach(() => Source.install());

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
    source.frame("datagram", { port: 514, source: "192.0.2.9", source_port: 4242, length: 2, payload_hex: "3c31" });
    source.frame("error", { address: "192.0.2.2:50051", detail: "node is away" });
    const items = screen.getAllByRole("listitem").filter(({ textContent }) => /datagram|error/.test(textContent));
    expect(items.map(({ textContent }) => textContent)).toEqual([
      expect.stringContaining("node is away"),
      expect.stringContaining("source: 192.0.2.9:4242"),
    ]);
    expect(screen.getByText("Live")).toBeInTheDocument();
    source.close();
    source.tell("error");
    expect(screen.getByText("Not connected")).toBeInTheDocument();
  });

  it("reads payloads as text in the reader's time, and shows them as they came when asked", async () => {
    const user = userEvent.setup();
    const source = await openTail("/ingest?tab=tail");
    // "<1>ß", an end of line, and a sign that turns the direction of writing; the payload was longer.
    const frame = { port: 514, source: "2001:db8::9", source_port: 4242, length: 90, payload_hex: "3c313e c39f 0a e280ae".replaceAll(" ", "") };
    source.frame("datagram", { ...frame, received_at_ns: "1795708800123456789" });
    const item = () => screen.getByText("datagram").closest("li");
    expect(item()).toHaveTextContent("source: [2001:db8::9]:4242 · payload: <1>ß··…");
    expect(item()).toHaveTextContent(formatPrecise("2026-11-26T16:00:00.123Z"));
    await user.selectOptions(screen.getByLabelText("Payload"), "Hexadecimal, as received");
    await waitFor(() => expect(item()).toHaveTextContent(/payload_hex: 3c313ec39f0ae280ae.*received_at_ns: 1795708800123456789/));
    await user.selectOptions(screen.getByLabelText("Payload"), "As text");
    await waitFor(() => expect(item()).toHaveTextContent("<1>ß"));
  });

  it("is not asked for without a fast path", async () => {
    openIngest("/ingest?tab=tail", "maintainer", { state: "not_installed", nodes: [] });
    expect(await screen.findByText(/The fast path is not installed\./)).toBeInTheDocument();
    expect(Source.opened).toEqual([]);
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
