import { useState, type SyntheticEvent } from "react";
import { useTranslation } from "react-i18next";
import { ROLES, type Role, type User } from "@/api/types";
import { Button } from "@/components/ui/button";
import { DialogActions } from "@/components/ui/dialog";
import { CheckField, SelectField, TextField } from "@/components/ui/field";
import { msg } from "@/i18n";
import { DEFAULT_TENANT, TENANT } from "./tenant";

export type UserFormValues = Pick<User, "email" | "full_name" | "role" | "tenant" | "is_active"> & { password: string };

interface UserFormProps {
  /** What the form starts with; what was typed stays after a refusal. */
  values: UserFormValues;
  /** The user exists: a password is optional, and the account can be disabled. */
  existing?: boolean;
  submitLabel: string;
  pending: boolean;
  /** Messages of the backend by field. */
  errors: Readonly<Record<string, string>>;
  onSubmit: (values: UserFormValues) => void;
  onCancel: () => void;
}

const ROLE_NOTES: Record<Role, string> = {
  admin: msg("Everything, users included."),
  maintainer: msg("Reads and writes; does not manage users."),
  viewer: msg("Reads only."),
};

export function UserForm({ values, existing = false, submitLabel, pending, errors, onSubmit, onCancel }: UserFormProps) {
  const { t } = useTranslation();
  const [form, setForm] = useState(values);
  const set = (change: Partial<UserFormValues>) => setForm((old) => ({ ...old, ...change }));
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    onSubmit(form);
  };

  return (
    <form onSubmit={submit} className="space-y-4">
      <TextField
        label={t("Email")}
        type="email"
        required
        maxLength={254}
        autoComplete="off"
        value={form.email}
        error={errors.email}
        onChange={(event) => set({ email: event.target.value })}
      />
      <TextField
        label={t("Full name")}
        required
        maxLength={200}
        autoComplete="off"
        value={form.full_name}
        error={errors.full_name}
        onChange={(event) => set({ full_name: event.target.value })}
      />
      <SelectField
        label={t("Role")}
        value={form.role}
        hint={t(ROLE_NOTES[form.role])}
        error={errors.role}
        onChange={(event) => set({ role: event.target.value as Role })}
      >
        {ROLES.map((role) => (
          <option key={role}>{role}</option>
        ))}
      </SelectField>
      <TextField
        label={t("Password")}
        type="password"
        required={!existing}
        autoComplete="new-password"
        hint={existing ? t("Leave empty to keep the present one.") : undefined}
        value={form.password}
        error={errors.password}
        onChange={(event) => set({ password: event.target.value })}
      />
      <TenantField value={form.tenant} error={errors.tenant} onChange={(tenant) => set({ tenant })} />
      {existing && (
        <CheckField
          label={t("May sign in")}
          checked={form.is_active}
          onChange={(event) => set({ is_active: event.target.checked })}
        />
      )}
      {errors.is_active && <p className="text-xs text-bad">{errors.is_active}</p>}
      <DialogActions>
        <Button onClick={onCancel}>{t("Cancel")}</Button>
        <Button type="submit" variant="primary" disabled={pending}>
          {submitLabel}
        </Button>
      </DialogActions>
    </form>
  );
}

interface TenantFieldProps {
  value: string;
  error: string | undefined;
  onChange: (value: string) => void;
}

/** Folded away from those who have no tenants: most installations. */
function TenantField({ value, error, onChange }: TenantFieldProps) {
  const { t } = useTranslation();
  const [used] = useState(value !== DEFAULT_TENANT);
  const shape = TENANT.test(value) ? undefined : t("Takes 1 to 40 lower-case letters, digits and inner hyphens.");
  return (
    <details open={used || error !== undefined}>
      <summary className="w-fit cursor-pointer rounded text-sm text-muted hover:text-gold">{t("More settings")}</summary>
      <div className="mt-3">
        <TextField
          label={t("Tenant")}
          maxLength={40}
          autoComplete="off"
          spellCheck={false}
          hint={t("Decides which database keeps the user's events, where the audit log is spread over several; “default” elsewhere. It gives and takes no rights.")}
          value={value}
          error={error ?? shape}
          onChange={(event) => onChange(event.target.value)}
        />
      </div>
    </details>
  );
}
