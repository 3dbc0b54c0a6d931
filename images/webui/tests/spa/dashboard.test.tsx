import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import type { FastPathNode, PlatformStatus, Traffic } from "@/api/types";
import { counterRates, packetRates } from "@/features/dashboard/status";
import { openApp, signedInAs, STATUS } from "./harness";

const NODE: FastPathNode = {
  node: "worker2",
  version: "0.1.0",
  kernel: "6.18.0",
  xdp_mode: "native",
  interface: "eth0",
  reason: "",
  guard: { enforcing: true, reason: "", revision: 3, rules: 2 },
  ingest: { mode: "af_xdp_native", reason: "", ports: [514], subscriptions: 1 },
  numa_nodes: [{ id: 0, cpus: "0-1", memory_bytes: 2 ** 34 }],
  hugepages: [{ size_bytes: 2 ** 21, total: 64, free: 60 }],
  counters: [{ protocol: "tcp", packets: 1500, bytes: 90_000 }],
};

const withNode = (node: FastPathNode): PlatformStatus => ({ ...STATUS, fast_path: { state: "running", nodes: [node] } });

describe("dashboard", () => {
  it("shows the state of every component and of the installation", async () => {
    openApp("/", signedInAs("viewer"));
    const states = { webui: "Healthy", "flask-backend": "Healthy", database: "Healthy", redis: "Unavailable", "go-backend": "Not installed" };
    for (const [name, state] of Object.entries(states)) {
      expect(await within(await screen.findByRole("region", { name })).findByText(state)).toBeInTheDocument();
    }
    expect(screen.getByText("connection refused")).toBeInTheDocument();
    expect(screen.getByText("PostgreSQL")).toBeInTheDocument();
    expect(screen.getByText("The fast path is not installed")).toBeInTheDocument();
  });

  it("does not pass an old report off as the present when the backend is away", async () => {
    const body = { title: "Service Unavailable", detail: "The backend does not answer.", status: 503, request_id: "r-9" };
    openApp("/", { ...signedInAs("viewer"), "GET /api/v1/status": () => ({ status: 503, body }) });
    expect(await screen.findByRole("alert")).toHaveTextContent(/does not answer.*r-9/);
    expect(within(screen.getByRole("region", { name: "flask-backend" })).getByText("Unavailable")).toBeInTheDocument();
    expect(within(screen.getByRole("region", { name: "database" })).getByText("Unknown")).toBeInTheDocument();
  });

  it("shows each fast-path node with its mode, memory and counters", async () => {
    openApp("/", { ...signedInAs("viewer"), "GET /api/v1/status": () => ({ body: withNode(NODE) }) });
    const card = await screen.findByRole("region", { name: "Node worker2" });
    for (const text of ["XDP native", "eth0", "60 of 64 × 2 MiB free", "0: CPU 0-1, 16 GiB", "1,500"]) {
      expect(within(card).getByText(text)).toBeInTheDocument();
    }
  });
});

describe("traffic", () => {
  const STEPS: Traffic = {
    scope: "platform",
    step_seconds: 10,
    points: [
      { at: "2026-11-20T10:00:00Z", requests: 10, failures: 0, logins: 0, refused_logins: 0 },
      { at: "2026-11-20T10:00:10Z", requests: 25, failures: 5, logins: 1, refused_logins: 2 },
    ],
  };
  const chart = async (name: string) => within(await screen.findByRole("region", { name }));
  const texts = async (name: string) => (await chart(name)).getAllByRole("listitem").map(({ textContent }) => textContent);

  it("is drawn with its newest values in words, of all replicas", async () => {
    openApp("/", { ...signedInAs("viewer"), "GET /api/v1/status/traffic": () => ({ body: STEPS }) });
    expect(await texts("API requests per second")).toEqual(["Answered2.5", "Failed0.5"]);
    expect(await texts("Logins per minute")).toEqual(["Signed in6", "Refused12"]);
    expect(screen.getAllByText("All backend replicas together")).toHaveLength(2);
    expect(screen.queryByRole("region", { name: "Fast-path packets per second" })).not.toBeInTheDocument();
  });

  it("tells the values at the pointer", async () => {
    openApp("/", { ...signedInAs("viewer"), "GET /api/v1/status/traffic": () => ({ body: STEPS }) });
    const region = await screen.findByRole("region", { name: "API requests per second" });
    const drawing = region.querySelector("svg");
    if (!drawing) throw new Error("nothing is drawn");
    fireEvent.pointerMove(drawing, { clientX: 0 });
    await waitFor(async () => expect(await texts("API requests per second")).toEqual(["Answered1", "Failed0"]));
    fireEvent.pointerLeave(drawing);
    await waitFor(async () => expect(await texts("API requests per second")).toEqual(["Answered2.5", "Failed0.5"]));
  });

  it("says when it is of one replica, and when nothing is counted yet", async () => {
    openApp("/", { ...signedInAs("viewer"), "GET /api/v1/status/traffic": () => ({ body: { ...STEPS, scope: "replica", points: [] } }) });
    const region = await chart("API requests per second");
    expect(region.getByText(/^Of one backend replica/)).toBeInTheDocument();
    expect(region.getByText(/^Counting/)).toBeInTheDocument();
  });

  it("of the fast path is the sum over nodes and protocols between two polls", () => {
    const at = (packets: number, at: number) => {
      const nodes = ["a", "b"].map((node) => ({ ...NODE, node, counters: [{ protocol: "tcp", packets, bytes: packets }] }));
      return { status: { ...STATUS, fast_path: { state: "running" as const, nodes } }, at };
    };
    const { times, values } = packetRates({ current: at(1500, 10_000), earlier: [at(1000, 5_000), at(9_999, 0)] });
    expect(values).toEqual([undefined, undefined, 200]);
    expect(times.map((time) => time - (times[0] ?? 0))).toEqual([0, 5_000, 10_000]);
  });
});

describe("counter rates", () => {
  const sample = (packets: number, bytes: number, at: number) => {
    const node = { ...NODE, counters: [{ protocol: "tcp", packets, bytes }] };
    return { status: withNode(node), at };
  };
  const rates = (previous: ReturnType<typeof sample> | undefined, current: ReturnType<typeof sample>) => {
    const [node] = current.status.fast_path.nodes;
    return node && counterRates(node, { current, earlier: previous ? [previous] : [] })[0];
  };

  it("are per second between two samples", () => {
    expect(rates(sample(1000, 60_000, 0), sample(1500, 90_000, 5000))).toMatchObject({
      packetsPerSecond: 100,
      bytesPerSecond: 6000,
    });
  });

  it.each([
    ["at the first sample", undefined],
    ["after the counters restarted", sample(9999, 999_999, 0)],
    ["between two samples of one moment", sample(1000, 60_000, 5000)],
  ])("are unknown %s", (_name, previous) => {
    expect(rates(previous, sample(1500, 90_000, 5000))?.packetsPerSecond).toBeUndefined();
  });
});
