import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/problem";
import type { User, UserCreate } from "@/api/types";
import { Dialog } from "@/components/ui/dialog";
import { ErrorBanner, Skeleton } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useCreateUser, useUpdateUser, versionQuery, type UserVersion } from "./api";
import { DEFAULT_TENANT } from "./tenant";
import { isConflict, UserConflict } from "./user-conflict";
import { UserForm, type UserFormValues } from "./user-form";

const SHOWN_FIELDS = ["email", "full_name", "role", "tenant", "password", "is_active"];

export function CreateUserDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const create = useCreateUser();
  return (
    <Dialog title={t("New user")} onClose={onClose}>
      <GeneralError error={create.error} />
      <UserForm
        values={{ email: "", full_name: "", role: "viewer", tenant: DEFAULT_TENANT, password: "", is_active: true }}
        submitLabel={t("Create user")}
        pending={create.isPending}
        errors={fieldsOf(create.error)}
        onSubmit={(values) => create.mutate(creation(values), { onSuccess: (user) => done(t("{{email}} is created.", { email: user.email }), onClose) })}
        onCancel={onClose}
      />
    </Dialog>
  );
}

export function EditUserDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useTranslation();
  const version = useQuery(versionQuery(user.id));
  return (
    <Dialog title={t("Edit user")} description={user.email} onClose={onClose}>
      {version.error && <ErrorBanner error={version.error} />}
      {version.isPending && <Skeleton className="h-72" />}
      {version.data && <EditForm version={version.data} onConflict={() => void version.refetch()} onClose={onClose} />}
    </Dialog>
  );
}

interface EditFormProps {
  /** The newest one that was read. */
  version: UserVersion;
  /** Somebody else was faster: read the user again. */
  onConflict: () => void;
  onClose: () => void;
}

function EditForm({ version, onConflict, onClose }: EditFormProps) {
  const { t } = useTranslation();
  // What the form began with: after a conflict too, only what was changed here is sent.
  const [base] = useState(version.user);
  const update = useUpdateUser(base);
  const conflict = isConflict(update.error);
  const save = (values: UserFormValues) =>
    update.mutate(
      { body: changes(values, base), etag: version.etag },
      {
        onSuccess: () => done(t("The changes are saved."), onClose),
        onError: (error) => isConflict(error) && onConflict(),
      },
    );
  return (
    <>
      {conflict ? (
        <UserConflict before={base} theirs={version.user}>
          {t("What you changed is kept. Saving again adds it to their version.")}
        </UserConflict>
      ) : (
        <GeneralError error={update.error} />
      )}
      <UserForm
        existing
        values={{ ...base, password: "" }}
        submitLabel={conflict ? t("Save all the same") : t("Save changes")}
        pending={update.isPending}
        errors={fieldsOf(update.error)}
        onSubmit={save}
        onCancel={onClose}
      />
    </>
  );
}

function done(text: string, onClose: () => void): void {
  toast(text);
  onClose();
}

/** A refusal that no field of the form explains. */
function GeneralError({ error }: { error: Error | null }) {
  const fields = fieldsOf(error);
  if (!error || SHOWN_FIELDS.some((name) => name in fields)) return null;
  return (
    <div className="mb-4">
      <ErrorBanner error={error} />
    </div>
  );
}

function fieldsOf(error: Error | null): Readonly<Record<string, string>> {
  return error instanceof ApiError ? error.fields : {};
}

function creation({ email, full_name, role, tenant, password }: UserFormValues): UserCreate {
  return { email: email.trim(), full_name: full_name.trim(), role, tenant, password };
}

/** Only what differs is sent, so that two people may edit different fields. */
function changes({ email, full_name, role, tenant, is_active, password }: UserFormValues, user: User): Partial<UserCreate> {
  const next = { email: email.trim(), full_name: full_name.trim(), role, tenant, is_active };
  const changed = Object.entries(next).filter(([key, value]) => user[key as keyof typeof next] !== value);
  return { ...Object.fromEntries(changed), ...(password ? { password } : {}) };
}
