import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { requestJson } from "@/api/http";
import type { User, UserInput, UserPage } from "@/api/types";
import { PER_PAGE, type UsersSearch } from "./search";

const PATH = "/api/v1/users";

export const usersQuery = (search: UsersSearch) =>
  queryOptions({
    queryKey: ["users", search],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => requestJson<UserPage>(`${PATH}?${parameters(search).toString()}`, { signal }),
  });

function parameters({ page = 1, search, sort }: UsersSearch): URLSearchParams {
  const query = new URLSearchParams({ page: String(page), per_page: String(PER_PAGE), sort: sort ?? "email" });
  if (search) query.set("search", search);
  return query;
}

/** Create a user, or change the one with the given id. */
export function useSaveUser(id: number | undefined) {
  const path = id === undefined ? PATH : `${PATH}/${id}`;
  const method = id === undefined ? "POST" : "PATCH";
  return useUsersMutation((json: Partial<UserInput>) => requestJson<User>(path, { method, json }));
}

export function useDeleteUser(id: number) {
  return useUsersMutation(() => requestJson<undefined>(`${PATH}/${id}`, { method: "DELETE" }));
}

function useUsersMutation<Input, Output>(mutationFn: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn,
    onSuccess: () => Promise.all([client.invalidateQueries({ queryKey: ["users"] }), client.invalidateQueries({ queryKey: ["session"] })]),
  });
}
