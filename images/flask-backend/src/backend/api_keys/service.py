"""API keys: made, listed, revoked, and the principal of one that is used."""

from __future__ import annotations

import secrets
from datetime import timedelta

import structlog
from pydal import DAL

from backend.audit import service as audit
from backend.auth.opaque import new_token, token_hash
from backend.auth.principal import Principal
from backend.auth.tokens import InvalidToken
from backend.context import Services
from backend.database.errors import DatabaseUnavailable
from backend.database.session import Database, fetch, for_update, now
from backend.permissions import ADMIN, lesser_role
from backend.problems import Problem
from backend.users.rows import user_columns

log = structlog.get_logger(__name__)
# People and secret scanners recognise a key by this; no access token starts so.
MARK = "trp_"
MAX_KEYS = 50
LAST_USED_PRECISION = timedelta(minutes=1)
_COLUMNS = "id, user_id, name, prefix, role, created_at, expires_at, last_used_at"


def authenticate(services: Services, key: str) -> Principal:
    """The principal of an API key. Raises `InvalidToken`, or `DatabaseUnavailable`."""
    sql = (
        f"SELECT {user_columns('u')}, k.id AS key_id, k.prefix AS key_prefix, k.role AS key_role,"
        " k.last_used_at AS key_last_used_at FROM users u JOIN api_keys k ON k.user_id = u.id"
        " WHERE k.key_hash = %s AND k.revoked_at IS NULL AND k.expires_at > %s AND u.is_active = 1"
    )
    digest = token_hash(key)
    rows = services.database.read(lambda db: fetch(db, sql, digest, now().isoformat(" ")))
    if not rows:
        raise InvalidToken("unknown key")
    user = {name: value for name, value in rows[0].items() if not name.startswith("key_")}
    details = {name.removeprefix("key_"): value for name, value in rows[0].items() if name.startswith("key_")}
    _note_use(services.database, details)
    return Principal(user, "", details)


def list_keys(database: Database, user_id: int) -> dict:
    """The live keys of a user, newest first: `{api_keys: [...]}`."""
    sql = f"SELECT {_COLUMNS} FROM api_keys WHERE user_id = %s AND revoked_at IS NULL ORDER BY id DESC"
    return {"api_keys": database.read(lambda db: fetch(db, sql, user_id))}


def create_key(database: Database, principal: Principal, name: str, role: str, expires_in_days: int) -> dict:
    """Make a key of the principal's own.

    Returns:
        Its row and, this once, the key itself as `key`.

    Raises:
        Problem: 401 for a deleted account, 403 for a role above the own one, 409 for too many keys.
    """
    if lesser_role(role, principal.role) != role:
        raise Problem(403, f"A key of yours can have at most the role {principal.role}.", "forbidden")
    prefix = f"{MARK}{secrets.token_hex(4)}"
    key = f"{prefix}_{new_token()}"

    def work(db: DAL) -> dict:
        # The owner's row is the lock under which their keys are counted.
        if not fetch(db, "SELECT id FROM users WHERE id = %s" + for_update(db), principal.user_id):
            raise Problem(401, "Your account was deleted meanwhile.", "invalid-token")
        sql = "SELECT COUNT(*) AS number FROM api_keys WHERE user_id = %s AND revoked_at IS NULL"
        if fetch(db, sql, principal.user_id)[0]["number"] >= MAX_KEYS:
            raise Problem(409, f"You have {MAX_KEYS} API keys; revoke one first.", "too-many-keys")
        key_id = int(
            db.api_keys.insert(
                user_id=principal.user_id,
                name=name,
                prefix=prefix,
                key_hash=token_hash(key),
                role=role,
                created_at=now(),
                expires_at=now() + timedelta(days=expires_in_days),
            )
        )
        audit.record(db, "api_keys.create", "api_key", key_id, {"name": name, "prefix": prefix, "role": role})
        return fetch(db, f"SELECT {_COLUMNS} FROM api_keys WHERE id = %s", key_id)[0]

    return database.write(work) | {"key": key}


def revoke_key(database: Database, principal: Principal, key_id: int) -> None:
    """Revoke a key at once: one's own, or as an admin anybody's. Raises a 404 `Problem`."""

    def work(db: DAL) -> None:
        mine = (db.api_keys.id == key_id) & (db.api_keys.revoked_at == None)
        if principal.role != ADMIN:
            mine &= db.api_keys.user_id == principal.user_id
        if not db(mine).update(revoked_at=now()):
            raise Problem(404, f"There is no API key {key_id}.", "no-such-key")
        audit.record(db, "api_keys.revoke", "api_key", key_id)

    database.write(work)


def _note_use(database: Database, key: dict) -> None:
    """Write down that a key was used, at most once a minute, and never at the cost of the request."""
    moment = now()
    if key["last_used_at"] and moment - key["last_used_at"] < LAST_USED_PRECISION:
        return
    stale = moment - LAST_USED_PRECISION

    def work(db: DAL) -> None:
        keys = db.api_keys
        db((keys.id == key["id"]) & ((keys.last_used_at == None) | (keys.last_used_at <= stale))).update(
            last_used_at=moment
        )

    try:
        database.write(work)
    except DatabaseUnavailable as error:
        log.warning("last use of an API key not noted", key=key["prefix"], reason=str(error))
