import { keepPreviousData, queryOptions, useMutation, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import type { User, UserCreate, UserList, UserUpdate } from "@/api/types";
import { PER_PAGE, type UsersSearch } from "./search";

const ONE = "/api/v1/users/{user_id}";

export const usersQuery = ({ page = 1, search, sort = "email", role, active: is_active }: UsersSearch) =>
  queryOptions({
    queryKey: ["users", { page, search, sort, role, is_active }],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => {
      const query = { page, per_page: PER_PAGE, search, sort, role, is_active };
      return bodyOf(api.GET("/api/v1/users", { params: { query }, signal }));
    },
  });

export const userQuery = (id: number) =>
  queryOptions({
    queryKey: ["users", id],
    queryFn: ({ signal }) => bodyOf(api.GET(ONE, { params: { path: { user_id: id } }, signal })),
  });

export const useCreateUser = () => useUsersMutation((body: UserCreate) => bodyOf(api.POST("/api/v1/users", { body })));

/** A user as it was read, with its version for `If-Match`. */
export interface UserVersion {
  user: User;
  etag: string | undefined;
}

/** What a dialog starts with: read when it opens, and again only when asked, so that the version stays the shown one. */
export const versionQuery = (id: number) =>
  queryOptions({
    queryKey: ["user-version", id],
    staleTime: "static",
    gcTime: 0,
    queryFn: async ({ signal }): Promise<UserVersion> => {
      const reply = api.GET(ONE, { params: { path: { user_id: id } }, signal });
      const user = await bodyOf(reply);
      // A proxy that compresses marks the tag as weak; it names a row's version, so it holds all the same.
      const etag = (await reply).response.headers.get("etag")?.replace(/^W\//, "");
      return { user, etag };
    },
  });

/** Changes a user; lists and pages show the change at once, and take it back when it is refused. */
export const useUpdateUser = ({ id }: Pick<User, "id">) =>
  useUsersMutation(
    ({ body, etag }: { body: UserUpdate; etag?: string | undefined }) =>
      bodyOf(api.PATCH(ONE, { params: { path: { user_id: id }, header: ifMatch(etag) }, body })),
    ({ body: { password: _, ...shown } }) => (user) => (user.id === id ? { ...user, ...shown } : user),
  );

/** Deletes a user, who stays in the lists until the answer. */
export const useDeleteUser = ({ id }: Pick<User, "id">) =>
  useUsersMutation((etag: string | undefined) =>
    bodyOf(api.DELETE(ONE, { params: { path: { user_id: id }, header: ifMatch(etag) } })),
  );

export const useResetPassword = ({ id }: Pick<User, "id">) =>
  useUsersMutation(() => bodyOf(api.POST("/api/v1/users/{user_id}/password-reset", { params: { path: { user_id: id } } })));

/** Turns the second factor of a user off who lost the device. */
export const useRemoveTotp = ({ id }: Pick<User, "id">) =>
  useUsersMutation(() => bodyOf(api.DELETE("/api/v1/users/{user_id}/totp", { params: { path: { user_id: id } } })));

const ifMatch = (etag: string | undefined) => (etag ? { "If-Match": etag } : {});

const USERS = { queryKey: ["users"] };

type Change = (user: User) => User;

/** `expected` tells what the mutation will make of a user: shown before the answer. */
function useUsersMutation<Input, Output>(mutationFn: (input: Input) => Promise<Output>, expected?: (input: Input) => Change) {
  const client = useQueryClient();
  return useMutation({
    mutationFn,
    onMutate: (input) => expected && showAtOnce(client, expected(input)),
    onError: (_error, _input, before) => before?.forEach(([key, data]) => client.setQueryData(key, data)),
    // One may have changed oneself, so the session is asked again too.
    onSuccess: () => Promise.all(["users", "session"].map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
}

/** Returns what was shown before. */
async function showAtOnce(client: QueryClient, change: Change) {
  // An answer under way would bring the old state back.
  await client.cancelQueries(USERS);
  const before = client.getQueriesData<User | UserList>(USERS);
  client.setQueriesData<User | UserList>(USERS, (shown) =>
    shown && ("users" in shown ? { ...shown, users: shown.users.map(change) } : change(shown)),
  );
  return before;
}
