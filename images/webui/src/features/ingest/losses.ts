import type { IngestStream } from "@/api/types";

/** Lost datagrams of any cause. */
export const lost = (dropped: IngestStream["counters"]["dropped"]) => dropped.reduce((sum, { datagrams }) => sum + datagrams, 0);

/** Lost datagrams of a node by cause, the greatest first. */
export function lossesOf(streams: readonly IngestStream[]): [string, number][] {
  const sums = new Map<string, number>();
  for (const { cause, datagrams } of streams.flatMap(({ counters }) => counters.dropped)) {
    sums.set(cause, (sums.get(cause) ?? 0) + datagrams);
  }
  return [...sums].filter(([, datagrams]) => datagrams > 0).sort(([, a], [, b]) => b - a);
}
