import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import type { Job } from "@/api/types";

const PER_PAGE = 20;
const POLL_MS = 2_000;

export const jobsQuery = (page: number) =>
  queryOptions({
    queryKey: ["jobs", { page }],
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
    queryFn: ({ signal }) => bodyOf(api.GET("/api/v1/jobs", { params: { query: { page, per_page: PER_PAGE } }, signal })),
  });

export const isOpen = ({ state }: Job) => state === "queued" || state === "running";

export const useStartJob = () =>
  useJobsMutation((body: { kind: string; arguments?: Record<string, unknown> }) => bodyOf(api.POST("/api/v1/jobs", { body })));

export const useCancelJob = () =>
  useJobsMutation((id: string) => bodyOf(api.POST("/api/v1/jobs/{job_id}/cancel", { params: { path: { job_id: id } } })));

function useJobsMutation<Input, Output>(mutationFn: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({ mutationFn, onSuccess: () => client.invalidateQueries({ queryKey: ["jobs"] }) });
}
