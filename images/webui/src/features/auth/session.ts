import { queryOptions, skipToken, useMutation, useQuery, useQueryClient, useSuspenseQuery, type QueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useCallback } from "react";
import { fetchConfig, fetchSession, login, loginWithCode, logout, type LoginResult } from "@/api/bff";
import { ApiError } from "@/api/problem";
import type { SessionUser } from "@/api/types";
import { tellOtherTabs } from "./tab-messages";

const SESSION = ["session"];

export const configQuery = queryOptions({ queryKey: ["config"], queryFn: fetchConfig, staleTime: Infinity });

/** Whether the session of the user whose pages are open has ended; `SessionEnded` asks to sign in again. */
export const endedQuery = queryOptions<boolean>({ queryKey: ["session-ended"], queryFn: skipToken, initialData: false, staleTime: Infinity });

export const useSessionEnded = (): boolean => useQuery(endedQuery).data ?? false;

/**
 * The signed-in user, or null. Without session cookies the server need not be asked. A user who was signed in stays
 * known when the session ends: the page must not go.
 */
export const sessionQuery = (client: QueryClient) =>
  queryOptions({
    queryKey: SESSION,
    staleTime: 60_000,
    queryFn: async (): Promise<SessionUser | null> => {
      const before = client.getQueryData<SessionUser | null>(SESSION) ?? null;
      const nobody = () => {
        if (before) client.setQueryData(endedQuery.queryKey, true);
        return before;
      };
      const config = await client.query({ ...configQuery, staleTime: 0 });
      if (!config.signed_in) return nobody();
      return fetchSession().catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 401) return nobody();
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
    if (!("user" in result)) return;
    client.setQueryData(sessionQuery(client).queryKey, result.user);
    tellOtherTabs(result.user.id);
  };
}

export function useLogout() {
  const forget = useForgetUser();
  return useMutation({
    mutationFn: logout,
    onSettled: () => {
      tellOtherTabs();
      return forget();
    },
  });
}

/** Leave for the login page, and drop all that was loaded for the user. */
export function useForgetUser() {
  const client = useQueryClient();
  const router = useRouter();
  return useCallback(
    async (search: LoginSearch = {}) => {
      await router.navigate({ to: "/login", search });
      client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "config" && queryKey[0] !== SESSION[0] });
      client.setQueryData(sessionQuery(client).queryKey, null);
    },
    [client, router],
  );
}

export interface LoginSearch {
  /** Where to go after login. */
  next?: string;
  /** A session has just ended. */
  ended?: boolean;
}
