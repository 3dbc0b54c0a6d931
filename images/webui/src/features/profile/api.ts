import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import type { ApiKeyCreate, BothFactors } from "@/api/types";

export const totpQuery = queryOptions({
  queryKey: ["account", "totp"],
  queryFn: ({ signal }) => bodyOf(api.GET("/api/v1/auth/totp", { signal })),
});

export const sessionsQuery = queryOptions({
  queryKey: ["account", "sessions"],
  queryFn: ({ signal }) => bodyOf(api.GET("/api/v1/auth/sessions", { signal })),
});

/** The keys of a user; one's own by default, other users' for admins. */
export const apiKeysQuery = (user_id?: number) =>
  queryOptions({
    queryKey: ["account", "api-keys", user_id],
    queryFn: ({ signal }) => bodyOf(api.GET("/api/v1/api-keys", { params: { query: { user_id } }, signal })),
  });

/** A new secret, which counts once a code of it is confirmed. */
export const useEnrol = () =>
  useAccountMutation((password: string) => bodyOf(api.POST("/api/v1/auth/totp", { body: { password } })));
export const useConfirmEnrolment = () =>
  useAccountMutation((code: string) => bodyOf(api.POST("/api/v1/auth/totp/confirm", { body: { code } })));
export const useNewRecoveryCodes = () =>
  useAccountMutation((body: BothFactors) => bodyOf(api.POST("/api/v1/auth/totp/recovery-codes", { body })));
export const useDisableTotp = () =>
  useAccountMutation((body: BothFactors) => bodyOf(api.POST("/api/v1/auth/totp/disable", { body })));

export const useEndSession = () =>
  useAccountMutation((id: string) =>
    bodyOf(api.DELETE("/api/v1/auth/sessions/{session_id}", { params: { path: { session_id: id } } })),
  );
/** Ends every session of the user, this one included. */
export const useEndAllSessions = () => useMutation({ mutationFn: () => bodyOf(api.POST("/api/v1/auth/logout-all")) });

export const useCreateApiKey = () =>
  useAccountMutation((body: ApiKeyCreate) => bodyOf(api.POST("/api/v1/api-keys", { body })));
export const useRevokeApiKey = () =>
  useAccountMutation((id: number) => bodyOf(api.DELETE("/api/v1/api-keys/{key_id}", { params: { path: { key_id: id } } })));

function useAccountMutation<Input, Output>(mutationFn: (input: Input) => Promise<Output>) {
  const client = useQueryClient();
  return useMutation({ mutationFn, onSuccess: () => client.invalidateQueries({ queryKey: ["account"] }) });
}
