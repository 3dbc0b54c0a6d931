import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/problem";
import type { User, UserCreate } from "@/api/types";
import { Dialog } from "@/components/ui/dialog";
import { ErrorBanner } from "@/components/ui/states";
import { toast } from "@/components/ui/toast";
import { useCreateUser, useUpdateUser } from "./api";
import { UserForm, type UserFormValues } from "./user-form";

const SHOWN_FIELDS = ["email", "full_name", "role", "password", "is_active"];

export function CreateUserDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const create = useCreateUser();
  return (
    <Dialog title={t("New user")} onClose={onClose}>
      <GeneralError error={create.error} />
      <UserForm
        values={{ email: "", full_name: "", role: "viewer", password: "", is_active: true }}
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
  const update = useUpdateUser(user);
  return (
    <Dialog title={t("Edit user")} description={user.email} onClose={onClose}>
      <GeneralError error={update.error} />
      <UserForm
        existing
        values={{ ...user, password: "" }}
        submitLabel={t("Save changes")}
        pending={update.isPending}
        errors={fieldsOf(update.error)}
        onSubmit={(values) => update.mutate(changes(values, user), { onSuccess: () => done(t("The changes are saved."), onClose) })}
        onCancel={onClose}
      />
    </Dialog>
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

function creation({ email, full_name, role, password }: UserFormValues): UserCreate {
  return { email: email.trim(), full_name: full_name.trim(), role, password };
}

/** Only what differs is sent, so that two people may edit different fields. */
function changes({ email, full_name, role, is_active, password }: UserFormValues, user: User): Partial<UserCreate> {
  const next = { email: email.trim(), full_name: full_name.trim(), role, is_active };
  const changed = Object.entries(next).filter(([key, value]) => user[key as keyof typeof next] !== value);
  return { ...Object.fromEntries(changed), ...(password ? { password } : {}) };
}
