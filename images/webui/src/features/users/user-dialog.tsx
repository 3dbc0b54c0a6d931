import { useState, type SyntheticEvent } from "react";
import { ApiError } from "@/api/problem";
import { ROLES, type Role, type User, type UserInput } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { ErrorBanner } from "@/components/ui/states";
import { useSaveUser } from "./api";

const ROLE_NOTES: Record<Role, string> = {
  admin: "Everything, users included.",
  maintainer: "Reads and writes; does not manage users.",
  viewer: "Reads only.",
};

const SHOWN_FIELDS = ["email", "full_name", "role", "password", "is_active"];

/** Create a user, or edit the given one; what was typed stays after a refusal. */
export function UserDialog({ user, onClose }: { user?: User; onClose: () => void }) {
  const save = useSaveUser(user?.id);
  const [form, setForm] = useState({
    email: user?.email ?? "",
    full_name: user?.full_name ?? "",
    role: user?.role ?? "viewer",
    password: "",
    is_active: user?.is_active ?? true,
  });
  const set = (change: Partial<typeof form>) => setForm((old) => ({ ...old, ...change }));
  const fields = save.error instanceof ApiError ? save.error.fields : {};
  const explained = SHOWN_FIELDS.some((name) => name in fields);

  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    save.mutate(user ? changes(form, user) : creation(form), { onSuccess: onClose });
  };

  return (
    <Dialog title={user ? "Edit user" : "New user"} description={user?.email} onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        {save.error && !explained && <ErrorBanner error={save.error} />}
        <TextField
          label="Email"
          type="email"
          required
          autoComplete="off"
          value={form.email}
          error={fields.email}
          onChange={(event) => set({ email: event.target.value })}
        />
        <TextField
          label="Full name"
          required
          autoComplete="off"
          value={form.full_name}
          error={fields.full_name}
          onChange={(event) => set({ full_name: event.target.value })}
        />
        <SelectField
          label="Role"
          value={form.role}
          hint={ROLE_NOTES[form.role]}
          error={fields.role}
          onChange={(event) => set({ role: event.target.value as Role })}
        >
          {ROLES.map((role) => (
            <option key={role}>{role}</option>
          ))}
        </SelectField>
        <TextField
          label="Password"
          type="password"
          required={!user}
          autoComplete="new-password"
          hint={user ? "Leave empty to keep the present one." : undefined}
          value={form.password}
          error={fields.password}
          onChange={(event) => set({ password: event.target.value })}
        />
        {user && (
          <label className="flex items-center gap-2.5">
            <input
              type="checkbox"
              className="size-4 accent-gold"
              checked={form.is_active}
              onChange={(event) => set({ is_active: event.target.checked })}
            />
            May sign in
          </label>
        )}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" disabled={save.isPending}>
            {user ? "Save changes" : "Create user"}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

type Form = Required<UserInput>;

function creation({ email, full_name, role, password }: Form): Partial<UserInput> {
  return { email: email.trim(), full_name: full_name.trim(), role, password };
}

/** Only what differs is sent, so that two people may edit different fields. */
function changes(form: Form, user: User): Partial<UserInput> {
  const next = { email: form.email.trim(), full_name: form.full_name.trim(), role: form.role, is_active: form.is_active };
  const changed = Object.entries(next).filter(([key, value]) => user[key as keyof typeof next] !== value);
  return { ...Object.fromEntries(changed), ...(form.password ? { password: form.password } : {}) };
}
