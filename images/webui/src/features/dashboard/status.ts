import { queryOptions, type QueryClient } from "@tanstack/react-query";
import { fetchHealth } from "@/api/bff";
import { api, bodyOf } from "@/api/client";
import type { ComponentStatus, FastPathNode, PlatformStatus } from "@/api/types";

export const POLL_MS = 5_000;

export interface Sample {
  status: PlatformStatus;
  /** When it was taken, in milliseconds of the page's own clock. */
  at: number;
}

export interface StatusData {
  current: Sample;
  /** The polls before, the newest first, for rates. */
  earlier: readonly Sample[];
}

/** As long as a page left open remembers: five minutes. */
const KEPT = 60;

const KEY = ["status"];

/** The platform's state, polled while the page is visible. */
export const statusQuery = (client: QueryClient) =>
  queryOptions({
    queryKey: KEY,
    refetchInterval: POLL_MS,
    retry: false,
    queryFn: async ({ signal }): Promise<StatusData> => {
      const before = client.getQueryData<StatusData>(KEY);
      const status = await bodyOf(api.GET("/api/v1/status", { signal }));
      const earlier = before ? [before.current, ...before.earlier].slice(0, KEPT) : [];
      return { current: { status, at: performance.now() }, earlier };
    },
  });

/** This page's own server, which the backend cannot see: healthy when it answers. */
export const webuiQuery = queryOptions({
  queryKey: ["webui-health"],
  refetchInterval: POLL_MS,
  retry: false,
  queryFn: async ({ signal }): Promise<ComponentStatus> => {
    const start = performance.now();
    await fetchHealth(signal);
    return { name: "webui", status: "healthy", detail: "", latency_ms: performance.now() - start };
  },
});

export interface CounterRate {
  protocol: string;
  packets: number;
  bytes: number;
  /** Per second since the poll before; undefined at the first poll and after a restart of the counters. */
  packetsPerSecond: number | undefined;
  bytesPerSecond: number | undefined;
}

/** Counters of one node with their rates between two samples. */
export function counterRates(node: FastPathNode, { current, earlier: [previous] }: StatusData): CounterRate[] {
  const before = previous?.status.fast_path.nodes.find((other) => other.node === node.node)?.counters;
  const seconds = previous ? (current.at - previous.at) / 1000 : 0;
  return node.counters.map((counter) => {
    const old = before?.find((other) => other.protocol === counter.protocol);
    const rising = old && seconds > 0 && counter.packets >= old.packets && counter.bytes >= old.bytes;
    return {
      ...counter,
      packetsPerSecond: rising ? (counter.packets - old.packets) / seconds : undefined,
      bytesPerSecond: rising ? (counter.bytes - old.bytes) / seconds : undefined,
    };
  });
}

/** Packets per second of all nodes together, from each poll to the next; undefined where it is not known. */
export function packetRates({ current, earlier }: StatusData): { times: number[]; values: (number | undefined)[] } {
  const samples = [current, ...earlier].reverse();
  const values = samples.map((sample, index) => {
    const { nodes } = sample.status.fast_path;
    const previous = samples[index - 1];
    const rates = nodes.flatMap((node) => counterRates(node, { current: sample, earlier: previous ? [previous] : [] }));
    const known = rates.map(({ packetsPerSecond }) => packetsPerSecond).filter((rate) => rate !== undefined);
    return known.length === 0 ? undefined : known.reduce((sum, rate) => sum + rate, 0);
  });
  return { times: samples.map(({ at }) => performance.timeOrigin + at), values };
}
