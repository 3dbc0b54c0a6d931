import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import type { User, UserCreate, UserUpdate } from "@/api/types";
import { PER_PAGE, type UsersSearch } from "./search";

const ONE = "/api/v1/users/{user_id}";

export const usersQuery = ({ page = 1, search, sort = "email" }: UsersSearch) =>
  queryOptions({
    queryKey: ["users", { page, search, sort }],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => {
      const query = { page, per_page: PER_PAGE, search, sort };
      return bodyOf(api.GET("/api/v1/users", { params: { query }, signal }));
    },
  });

export const userQuery = (id: number) =>
  queryOptions({
    queryKey: ["users", id],
    queryFn: ({ signal }) => bodyOf(api.GET(ONE, { params: { path: { user_id: id } }, signal })),
  });

export const useCreateUser = () => useUsersMutation((body: UserCreate) => bodyOf(api.POST("/api/v1/users", { body })));

export const useUpdateUser = ({ id }: Pick<User, "id">) =>
  useUsersMutation((body: UserUpdate) => bodyOf(api.PATCH(ONE, { params: { path: { user_id: id } }, body })));

export const useDeleteUser = ({ id }: Pick<User, "id">) =>
  useUsersMutation(() => bodyOf(api.DELETE(ONE, { params: { path: { user_id: id } } })));

function useUsersMutation<Input, Output>(mutationFn: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn,
    // One may have changed oneself, so the session is asked again too.
    onSuccess: () => Promise.all(["users", "session"].map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
}
