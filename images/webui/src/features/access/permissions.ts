import { queryOptions, useSuspenseQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, bodyOf } from "@/api/client";
import type { PermissionDocument, Role } from "@/api/types";
import { useUser } from "@/features/auth/session";

/** The table that the backend enforces; it changes with the installation only. */
export const permissionsQuery = queryOptions({
  queryKey: ["permissions"],
  staleTime: 5 * 60_000,
  queryFn: ({ signal }) => bodyOf(api.GET("/api/v1/permissions", { signal })),
});

export interface Access {
  /** Whether this installation has an operation at all. */
  has: (operation: string) => boolean;
  /** Whether the signed-in user's role may use it. */
  may: (operation: string) => boolean;
}

export function accessOf(document: PermissionDocument, role: Role): Access {
  const rolesOf = new Map(document.operations.map(({ name, roles }) => [name, roles]));
  return {
    has: (operation) => rolesOf.has(operation),
    may: (operation) => rolesOf.get(operation)?.includes(role) ?? false,
  };
}

/** What the signed-in user may do, below the routes that require one. */
export function useAccess(): Access {
  const { role } = useUser();
  const { data } = useSuspenseQuery(permissionsQuery);
  return useMemo(() => accessOf(data, role), [data, role]);
}
