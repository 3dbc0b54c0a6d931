import { useSuspenseQuery } from "@tanstack/react-query";
import { Check, Minus } from "lucide-react";
import { Fragment } from "react";
import { useTranslation } from "react-i18next";
import type { PermissionDocument } from "@/api/types";
import { Card, PageHeader } from "@/components/ui/card";
import { Guarded } from "@/features/access/guarded";
import { permissionsQuery } from "@/features/access/permissions";

type Operation = PermissionDocument["operations"][number];

export const RolesPage = () => (
  <Guarded operation="permissions.get_permissions">
    <RoleMatrix />
  </Guarded>
);

/** Which role may use which operation, drawn from the table that the backend enforces. */
function RoleMatrix() {
  const { t } = useTranslation();
  const { data } = useSuspenseQuery(permissionsQuery);
  return (
    <>
      <PageHeader title={t("Roles")}>{t("What each role may do, from the table that the backend enforces.")}</PageHeader>
      <div className="space-y-6">
        {domains(data.operations).map(([domain, operations]) => (
          <DomainCard key={domain} domain={domain} operations={operations} roles={data.roles} />
        ))}
      </div>
    </>
  );
}

function domains(operations: readonly Operation[]): [string, Operation[]][] {
  const found = new Map<string, Operation[]>();
  for (const operation of operations.filter(({ public: open }) => !open)) {
    const domain = operation.name.split(".", 1)[0] ?? "";
    found.set(domain, [...(found.get(domain) ?? []), operation]);
  }
  return [...found];
}

interface DomainCardProps {
  domain: string;
  operations: readonly Operation[];
  roles: PermissionDocument["roles"];
}

function DomainCard({ domain, operations, roles }: DomainCardProps) {
  const { t } = useTranslation();
  return (
    <Card className="overflow-hidden" aria-label={domain}>
      <table className="w-full table-fixed">
        <caption className="px-5 pt-4 pb-2 text-left text-base font-semibold">{domain}</caption>
        <thead className="border-b border-line text-xs text-muted">
          <tr>
            <th scope="col" className="w-1/2 px-5 py-2.5 text-left font-medium">
              {t("Operation")}
            </th>
            {roles.map((role) => (
              <th key={role} scope="col" className="px-1 py-2.5 text-center font-medium">
                {role}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line/60">
          {operations.map((operation) => (
            <tr key={`${operation.method} ${operation.name}`}>
              <th scope="row" className="px-5 py-2.5 text-left font-normal">
                <span className="block">{operation.summary}</span>
                <code className="block text-xs wrap-anywhere text-muted">
                  {operation.method} <Path text={operation.path} />
                </code>
              </th>
              {roles.map((role) => (
                <td key={role} className="px-1 text-center">
                  <Mark allowed={operation.roles.includes(role)} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

/** On narrow screens it may break before a slash. */
const Path = ({ text }: { text: string }) =>
  text.split(/(?=\/)/).map((part, number) => (
    <Fragment key={number}>
      {number > 0 && <wbr />}
      {part}
    </Fragment>
  ));

function Mark({ allowed }: { allowed: boolean }) {
  const { t } = useTranslation();
  const Icon = allowed ? Check : Minus;
  return (
    <>
      <Icon aria-hidden className={`mx-auto size-4 ${allowed ? "text-good" : "text-muted"}`} />
      <span className="sr-only">{allowed ? t("allowed") : t("not allowed")}</span>
    </>
  );
}
