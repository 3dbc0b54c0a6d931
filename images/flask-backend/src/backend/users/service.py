"""Accounts: list, create, change, delete; the last active admin always stays."""

from __future__ import annotations

import secrets

from backend.audit import service as audit
from backend.auth import second_factor
from backend.auth.password_rules import check_password
from backend.auth.passwords import PasswordHasher
from backend.auth.sessions import revoke_of_user
from backend.config import Settings
from backend.database import errors
from backend.database.session import Database, fetch, for_update, now
from backend.etags import Precondition, any_version
from backend.fields import fold_email
from backend.permissions import ADMIN
from backend.problems import Problem
from backend.users.rows import user_columns

_TEMPORARY_BYTES = 15


def list_users(database: Database, page: int, per_page: int, sort: str, **filters) -> dict:
    """One page of users: `{users: [...], pagination: {page, per_page, total, pages}}`.

    Args:
        filters: any of `search` (a part of e-mail address or name), `role`, `tenant`, `is_active`.
    """
    where, values = _where(filters)
    # `sort` comes from a closed list in the schema; the id makes the order total.
    order = f"{sort.lstrip('-')} {'DESC' if sort.startswith('-') else 'ASC'}, id"

    def work(db) -> tuple[int, list[dict]]:
        total = fetch(db, f"SELECT COUNT(*) AS total FROM users u{where}", *values)[0]["total"]
        sql = f"SELECT {user_columns('u')} FROM users u{where} ORDER BY {order} LIMIT %s OFFSET %s"
        return total, fetch(db, sql, *values, per_page, (page - 1) * per_page)

    total, users = database.read(work, replica=True)
    pages = -(-total // per_page)
    return {
        "users": users,
        "pagination": {"page": page, "per_page": per_page, "total": total, "pages": pages},
    }


def get_user(database: Database, user_id: int) -> dict:
    """A user. Raises a 404 `Problem`."""
    return database.read(lambda db: _get(db, user_id))


def create_user(database: Database, hasher: PasswordHasher, settings: Settings, body: dict) -> dict:
    """Create a user from a `UserCreateSchema` body. Raises `Problem`: 409 for a known e-mail, 422."""
    check_password(settings, body["password"], body["email"], body["full_name"])
    return insert_user(database, hasher, **body)


def insert_user(database: Database, hasher: PasswordHasher, **fields) -> dict:
    """Store a user whose fields have been checked already. Raises `Problem`: 409 for a known e-mail."""
    row = _columns(hasher, fields) | {"created_at": now(), "updated_at": now(), "version": 1}

    def work(db) -> dict:
        user = _get(db, int(db.users.insert(**row)))
        audit.record(db, "users.create", "user", user["id"], {name: user[name] for name in ("email", "role", "tenant")})
        return user

    return _unique(lambda: database.write(work))


def update_user(
    database: Database,
    hasher: PasswordHasher,
    settings: Settings,
    user_id: int,
    body: dict,
    precondition: Precondition = any_version,
) -> dict:
    """Change a user; a new role, password or state ends all their sessions.

    Raises:
        Problem: 404, 409 for a known e-mail or the last active admin, 412, 422 for a weak password.
    """
    if "password" in body:
        known = get_user(database, user_id) | body
        check_password(settings, body["password"], known["email"], known["full_name"])
    changes = _columns(hasher, body)

    def work(db) -> dict:
        admins = _lock_admins(db)
        user = _get(db, user_id, for_update(db))
        precondition(user)
        if changes.get("role", ADMIN) != ADMIN or not changes.get("is_active", 1):
            _keep_an_admin(admins, user_id)
        if changes:
            db(db.users.id == user_id).update(**changes, updated_at=now(), version=db.users.version + 1)
            audit.record(db, "users.update", "user", user_id, _described(user, changes))
        if "password_hash" in changes or _differs(user, changes, "role", "is_active"):
            revoke_of_user(db, user_id)
        return _get(db, user_id)

    return _unique(lambda: database.write(work))


def delete_user(database: Database, user_id: int, own_id: int, precondition: Precondition = any_version) -> None:
    """Delete a user and their sessions. Raises `Problem`: 404; 409 for oneself or the last active admin; 412."""
    if user_id == own_id:
        raise Problem(409, "You cannot delete your own account.", "own-account")

    def work(db) -> None:
        admins = _lock_admins(db)
        user = _get(db, user_id, for_update(db))
        precondition(user)
        _keep_an_admin(admins, user_id)
        db(db.users.id == user_id).delete()
        audit.record(db, "users.delete", "user", user_id, {"email": user["email"], "role": user["role"]})

    database.write(work)


def reset_password(database: Database, hasher: PasswordHasher, user_id: int) -> dict:
    """Give a user a random password that is only good for changing it, and end all their sessions.

    Returns:
        `{password}`, this once.

    Raises:
        Problem: 404.
    """
    password = secrets.token_urlsafe(_TEMPORARY_BYTES)
    hashed = hasher.hash(password)

    def work(db) -> None:
        _get(db, user_id, for_update(db))
        changes = {"password_hash": hashed, "must_change_password": 1, "updated_at": now()}
        db(db.users.id == user_id).update(**changes, version=db.users.version + 1)
        revoke_of_user(db, user_id)
        audit.record(db, "users.reset_password", "user", user_id)

    database.write(work)
    return {"password": password}


def reset_totp(database: Database, user_id: int) -> None:
    """Turn off the second factor of a user who lost it, and end all their sessions. Raises a 404 `Problem`."""

    def work(db) -> None:
        _get(db, user_id, for_update(db))
        second_factor.clear(db, user_id)
        revoke_of_user(db, user_id)
        audit.record(db, "users.reset_totp", "user", user_id)

    database.write(work)


def _get(db, user_id: int, lock: str = "") -> dict:
    rows = fetch(db, f"SELECT {user_columns('u')} FROM users u WHERE u.id = %s{lock}", user_id)
    if not rows:
        raise Problem(404, f"There is no user {user_id}.", "no-such-user")
    return rows[0]


def _where(filters: dict) -> tuple[str, list]:
    conditions, values = [], []
    if filters.get("search"):
        pattern = f"%{_escape_like(filters['search'].lower())}%"
        conditions.append("(LOWER(email) LIKE %s ESCAPE '!' OR LOWER(full_name) LIKE %s ESCAPE '!')")
        values += [pattern, pattern]
    for name in ("role", "tenant", "is_active"):
        if name in filters:
            conditions.append(f"{name} = %s")
            values.append(int(filters[name]) if name == "is_active" else filters[name])
    return f" WHERE {' AND '.join(conditions)}" if conditions else "", values


def _lock_admins(db) -> set[int]:
    # Two admins who demote each other at once queue here, so that one of them is refused.
    sql = "SELECT id FROM users WHERE role = %s AND is_active = 1 ORDER BY id" + for_update(db)
    return {row["id"] for row in fetch(db, sql, ADMIN)}


def _keep_an_admin(admins: set[int], user_id: int) -> None:
    if admins == {user_id}:
        raise Problem(409, "This is the last active admin; make another one first.", "last-admin")


def _columns(hasher: PasswordHasher, body: dict) -> dict:
    columns = {key: value for key, value in body.items() if key != "password"}
    if "email" in columns:
        columns["email"] = fold_email(columns["email"])
    for flag in ("is_active", "must_change_password"):
        if flag in columns:
            columns[flag] = int(columns[flag])
    if "password" in body:
        columns["password_hash"] = hasher.hash(body["password"])
    return columns


def _differs(user: dict, changes: dict, *names: str) -> bool:
    return any(name in changes and changes[name] != user[name] for name in names)


def _described(user: dict, changes: dict) -> dict:
    """Old and new value of each field that changed; of a password only that it did."""
    described = {name: [user[name], value] for name, value in changes.items() if user.get(name, value) != value}
    return described | ({"password": "changed"} if "password_hash" in changes else {})


def _unique(write):
    try:
        return write()
    except Exception as error:
        if not errors.duplicate_key(error):
            raise
        raise Problem(409, "Another user has this e-mail address.", "email-taken") from None


def _escape_like(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
