import { queryOptions, useMutation, useQueryClient, useSuspenseQuery, type QueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { fetchConfig, fetchSession, login, loginWithCode, logout, type LoginResult } from "@/api/bff";
import { ApiError } from "@/api/problem";
import type { SessionUser } from "@/api/types";

export const configQuery = queryOptions({ queryKey: ["config"], queryFn: fetchConfig, staleTime: Infinity });

/** The signed-in user, or null. Without session cookies the server need not be asked. */
export const sessionQuery = (client: QueryClient) =>
  queryOptions({
    queryKey: ["session"],
    staleTime: 60_000,
    queryFn: async (): Promise<SessionUser | null> => {
      const config = await client.query({ ...configQuery, staleTime: 0 });
      if (!config.signed_in) return null;
      return fetchSession().catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 401) return null;
        throw error;
      });
    },
  });

/** The signed-in user, below the routes that require one. */
export function useUser(): SessionUser {
  const client = useQueryClient();
  const { data } = useSuspenseQuery(sessionQuery(client));
  if (!data) throw new ApiError("Your session has ended. Sign in again.", 401);
  return data;
}

export function useLogin() {
  const keep = useKeepUser();
  return useMutation({
    mutationFn: ({ email, password }: { email: string; password: string }) => login(email, password),
    onSuccess: keep,
  });
}

/** The second step of a login: a one-time or recovery code. */
export function useLoginWithCode(challenge: string) {
  const keep = useKeepUser();
  return useMutation({ mutationFn: (code: string) => loginWithCode(challenge, code), onSuccess: keep });
}

function useKeepUser() {
  const client = useQueryClient();
  return (result: LoginResult) => {
    if ("user" in result) client.setQueryData(sessionQuery(client).queryKey, result.user);
  };
}

export function useLogout() {
  const client = useQueryClient();
  const router = useRouter();
  return useMutation({
    mutationFn: logout,
    onSettled: async () => {
      await router.navigate({ to: "/login" });
      client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "config" && queryKey[0] !== "session" });
      client.setQueryData(sessionQuery(client).queryKey, null);
    },
  });
}
