"""Refresh tokens: each is spent once, and a spent one that comes back ends its session.

With one exception (`docs/decisions/`, "A spent refresh token has a short grace"): within `GRACE` the very same
successor is given again, so that two servers that hold one token and refresh it at once both go on.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import datetime, timedelta

import structlog
from pydal import DAL

from backend.audit import service as audit
from backend.auth.opaque import token_hash
from backend.auth.principal import Client
from backend.auth.sessions import IDLE_LIFETIME, LONGEST_LIFETIME, revoke_sessions, tokens_answer
from backend.context import Services
from backend.database.session import fetch, now
from backend.problems import Problem
from backend.users.rows import user_columns

log = structlog.get_logger(__name__)
GRACE = timedelta(seconds=10)


def refresh(services: Services, token: str, client: Client) -> dict:
    """Spend a refresh token for new tokens.

    Raises:
        Problem: 401 when the token is unknown, spent, expired or revoked.
    """
    salt = secrets.token_hex(32)
    found = services.database.write(lambda db: _spend(db, token, salt, client))
    if found is None:
        raise Problem(401, "The refresh token is invalid, spent or revoked; sign in again.", "invalid-token")
    user, successor = found
    return tokens_answer(services.tokens, user, user["session_id"], successor)


def _spend(db: DAL, token: str, salt: str, client: Client) -> tuple[dict, str] | None:
    """The user's row with `session_id`, and the successor of the token; `None` when it is refused."""
    sql = (
        f"SELECT {user_columns('u')}, s.id AS session_id, s.created_at AS session_created_at"
        " FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id JOIN users u ON u.id = s.user_id"
        " WHERE r.token_hash = %s AND s.revoked_at IS NULL AND s.expires_at > %s AND u.is_active = 1"
    )
    digest, moment = token_hash(token), now()
    rows = fetch(db, sql, digest, moment.isoformat(" "))
    if not rows:
        return None
    user = rows[0]
    unspent = (db.refresh_tokens.token_hash == digest) & (db.refresh_tokens.used_at == None)
    if not db(unspent).update(used_at=moment, successor_salt=salt):
        return _again(db, user, token, moment)
    successor = _successor(token, salt)
    # A spent successor ends the grace of its predecessor.
    others = (db.refresh_tokens.session_id == user["session_id"]) & (db.refresh_tokens.token_hash != digest)
    db(others).update(successor_salt=None)
    db.refresh_tokens.insert(token_hash=token_hash(successor), session_id=user["session_id"], created_at=moment)
    expires_at = min(moment + IDLE_LIFETIME, user["session_created_at"] + LONGEST_LIFETIME)
    seen = {"last_used_at": moment, "address": client.address, "user_agent": client.user_agent}
    db(db.sessions.id == user["session_id"]).update(expires_at=expires_at, **seen)
    return user, successor


def _again(db: DAL, user: dict, token: str, moment: datetime) -> tuple[dict, str] | None:
    sql = "SELECT used_at, successor_salt FROM refresh_tokens WHERE token_hash = %s"
    rows = fetch(db, sql, token_hash(token))
    if not rows:
        return None  # the user was deleted meanwhile
    spent = rows[0]
    if spent["successor_salt"] and moment - spent["used_at"] <= GRACE:
        return user, _successor(token, spent["successor_salt"])
    revoke_sessions(db, db.sessions.id == user["session_id"])
    audit.record(db, "auth.refresh_reused", "session", user["session_id"], actor=user)
    log.warning("refresh token used twice, session ended", user_id=user["id"])
    return None


def _successor(token: str, salt: str) -> str:
    """The next token: needs both the spent token, which only its holder has, and the salt in the database."""
    digest = hmac.digest(token.encode(), f"refresh token successor {salt}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
