import { queryOptions } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";

const POLL_MS = 3_000;

/** Ports of every node with counters, and rates since the look before. */
export const streamsQuery = queryOptions({
  queryKey: ["ingest", "streams"],
  refetchInterval: POLL_MS,
  queryFn: ({ signal }) => bodyOf(api.GET("/api/v1/ingest/streams", { signal })),
});
