import { screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import type { FastPathNode, PlatformStatus } from "@/api/types";
import { counterRates } from "@/features/dashboard/status";
import { openApp, signedInAs, STATUS } from "./harness";

const NODE: FastPathNode = {
  node: "worker2",
  version: "0.1.0",
  kernel: "6.18.0",
  xdp_mode: "native",
  interface: "eth0",
  reason: "",
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

describe("counter rates", () => {
  const sample = (packets: number, bytes: number, at: number) => {
    const node = { ...NODE, counters: [{ protocol: "tcp", packets, bytes }] };
    return { status: withNode(node), at };
  };
  const rates = (previous: ReturnType<typeof sample> | undefined, current: ReturnType<typeof sample>) => {
    const [node] = current.status.fast_path.nodes;
    return node && counterRates(node, { current, previous })[0];
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
