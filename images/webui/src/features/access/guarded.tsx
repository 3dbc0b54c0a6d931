import type { ReactNode } from "react";
import { ForbiddenPage, NotInstalledPage } from "@/components/error-page";
import { useAccess } from "./permissions";

/** A page for those who may use an operation; the backend refuses everybody else as well. */
export function Guarded({ operation, children }: { operation: string; children: ReactNode }) {
  const access = useAccess();
  if (!access.has(operation)) return <NotInstalledPage />;
  return access.may(operation) ? children : <ForbiddenPage />;
}
