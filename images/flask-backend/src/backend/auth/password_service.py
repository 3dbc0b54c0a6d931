"""Changing the own password."""

from __future__ import annotations

from backend.audit import service as audit
from backend.auth.login import confirm_password
from backend.auth.password_rules import check_password
from backend.auth.principal import Client, Principal
from backend.auth.sessions import revoke_of_user
from backend.context import Services
from backend.database.session import now
from backend.problems import Problem


def change_password(services: Services, principal: Principal, current: str, new: str, client: Client) -> None:
    """Set a new password and end every session, this one included.

    Raises:
        Problem: 403 for a wrong current password, 422 for a weak or unchanged one, 409 for a lost race, 429, 503.
    """
    user = principal.user
    stored = confirm_password(services, user, current, client)
    if new == current:
        message = "Must differ from the current password."
        raise Problem(422, "The password is the current one.", errors={"json": {"new_password": [message]}})
    check_password(services.settings, new, user["email"], user["full_name"], field="new_password")
    hashed = services.hasher.hash(new)

    def work(db) -> None:
        unchanged = (db.users.id == user["id"]) & (db.users.password_hash == stored)
        changes = {"password_hash": hashed, "must_change_password": 0, "updated_at": now()}
        if not db(unchanged).update(**changes, version=db.users.version + 1):
            raise Problem(409, "The password was changed elsewhere meanwhile; sign in again.", "lost-race")
        revoke_of_user(db, user["id"])
        audit.record(db, "auth.change_password", "user", user["id"])

    services.database.write(work)
