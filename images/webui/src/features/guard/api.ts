import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import type { GuardPolicy, GuardRule, GuardRuleCreate } from "@/api/types";
import type { GuardSearch } from "./search";

const ONE = "/api/v1/guard/rules/{rule_id}";
const PER_PAGE = 20;
const POLL_MS = 3_000;

export const rulesQuery = ({ page = 1, search, action }: GuardSearch) =>
  queryOptions({
    queryKey: ["guard", "rules", { page, search, action }],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      bodyOf(api.GET("/api/v1/guard/rules", { params: { query: { page, per_page: PER_PAGE, search, action } }, signal })),
  });

/** Hits of every rule, summed over the nodes. */
export const countersQuery = queryOptions({
  queryKey: ["guard", "counters"],
  refetchInterval: POLL_MS,
  queryFn: ({ signal }) => bodyOf(api.GET("/api/v1/guard/counters", { signal })),
});

export const guardStatusQuery = queryOptions({
  queryKey: ["guard", "status"],
  refetchInterval: POLL_MS,
  queryFn: ({ signal }) => bodyOf(api.GET("/api/v1/guard/status", { signal })),
});

export const policyQuery = queryOptions({
  queryKey: ["guard", "policy"],
  queryFn: ({ signal }) => bodyOf(api.GET("/api/v1/guard/policy", { signal })),
});

export const useCreateRule = () =>
  useGuardMutation((body: GuardRuleCreate) => bodyOf(api.POST("/api/v1/guard/rules", { body })));

export const useUpdateRule = ({ id }: Pick<GuardRule, "id">) =>
  useGuardMutation((body: Partial<GuardRuleCreate>) => bodyOf(api.PATCH(ONE, { params: { path: { rule_id: id } }, body })));

export const useDeleteRule = ({ id }: Pick<GuardRule, "id">) =>
  useGuardMutation(() => bodyOf(api.DELETE(ONE, { params: { path: { rule_id: id } } })));

export const useSetPolicy = () =>
  useGuardMutation((body: Omit<GuardPolicy, "revision">) => bodyOf(api.PUT("/api/v1/guard/policy", { body })));

function useGuardMutation<Input, Output>(mutationFn: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({ mutationFn, onSuccess: () => client.invalidateQueries({ queryKey: ["guard"] }) });
}
