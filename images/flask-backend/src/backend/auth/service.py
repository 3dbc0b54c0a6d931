"""Sessions: login, rotation of refresh tokens, logout, and who a request is from.

The database is the one truth about sessions. Every authenticated request reads its session and user in one
query anyway, so a logout, a new role or a deletion holds on every replica at once, with or without Redis.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

import structlog

from backend.audit import service as audit
from backend.auth.tokens import ACCESS_TOKEN_SECONDS, InvalidToken
from backend.context import Services
from backend.database.session import fetch, for_update, now
from backend.fields import fold_email
from backend.problems import Problem

log = structlog.get_logger(__name__)
REFRESH_LIFETIME = timedelta(days=7)
_USER = "u.id, u.email, u.full_name, u.role, u.is_active, u.created_at, u.updated_at"


@dataclass(frozen=True)
class Principal:
    """Whom a request is from: the user's row as a dictionary, and the session."""

    user: dict
    session_id: str

    @property
    def credential(self) -> str:
        """What the request proved itself with, for the audit log."""
        return "session"

    @property
    def user_id(self) -> int:
        return self.user["id"]

    @property
    def role(self) -> str:
        return self.user["role"]


def authenticate(services: Services, token: str) -> Principal:
    """The principal of an access token. Raises `InvalidToken`, or `DatabaseUnavailable`."""
    claims = services.tokens.verify(token)
    sql = (
        f"SELECT {_USER} FROM users u JOIN sessions s ON s.user_id = u.id"
        " WHERE s.id = %s AND u.id = %s AND s.revoked_at IS NULL AND u.is_active = 1"
    )
    rows = services.database.read(lambda db: fetch(db, sql, claims.session_id, claims.user_id))
    if not rows:
        raise InvalidToken("session ended")
    return Principal(rows[0], claims.session_id)


def login(services: Services, email: str, password: str, address: str) -> dict:
    """Start a session.

    Returns:
        Body of the answer: tokens and user.

    Raises:
        Problem: 401 for a wrong pair, 429 after too many failures, 503 when busy.
    """
    email = fold_email(email)
    attempt = services.throttle.begin(email, address)
    if attempt is None:
        services.metrics.logins.labels("throttled").inc()
        raise Problem(429, "Too many failed logins; wait before the next try.", "throttled", retry_after=60)
    user = services.database.read(lambda db: _find(db, email))
    fits = services.hasher.check(password, user["password_hash"] if user else None)
    tokens = _open_session(services, user) if fits and user["is_active"] else None
    if tokens is None:
        services.metrics.logins.labels("refused").inc()
        log.info("login refused", address=address)
        services.database.write(lambda db: audit.record(db, "auth.login_failed", "user", email, actor=user))
        raise Problem(401, "Wrong e-mail address or password.", "bad-credentials")
    services.throttle.succeeded(attempt)
    services.metrics.logins.labels("accepted").inc()
    return tokens


def refresh(services: Services, refresh_token: str) -> dict:
    """Spend a refresh token for new tokens. A token used twice ends its session: one holder is a thief.

    Raises:
        Problem: 401 when the token is unknown, spent, expired or revoked.
    """
    digest, new_token = _hash(refresh_token), _new_token()
    row = services.database.write(lambda db: _rotate(db, digest, new_token))
    if row is None:
        raise Problem(401, "The refresh token is invalid, spent or revoked; sign in again.", "invalid-token")
    return _answer(services, row, row["session_id"], new_token)


def logout(services: Services, principal: Principal) -> None:
    """End the session of the request: its access and refresh tokens are refused from now on."""

    def work(db) -> None:
        revoke_sessions(db, db.sessions.id == principal.session_id)
        audit.record(db, "auth.logout", "session", principal.session_id)

    services.database.write(work)


def revoke_sessions(db, query) -> int:
    """Revoke the live sessions that a PyDAL query selects; returns their number."""
    return db(query & (db.sessions.revoked_at == None)).update(revoked_at=now())


def _find(db, email: str) -> dict | None:
    rows = fetch(db, f"SELECT {_USER}, u.password_hash FROM users u WHERE u.email = %s", email)
    return rows[0] if rows else None


def _open_session(services: Services, user: dict) -> dict | None:
    session_id, token = secrets.token_hex(16), _new_token()

    def work(db) -> bool:
        # Again, under a lock: the password may have been changed while bcrypt ran.
        sql = "SELECT id FROM users WHERE id = %s AND password_hash = %s AND is_active = 1" + for_update(db)
        if not fetch(db, sql, user["id"], user["password_hash"]):
            return False
        db((db.sessions.user_id == user["id"]) & (db.sessions.expires_at < now())).delete()
        expires_at = now() + REFRESH_LIFETIME
        db.sessions.insert(id=session_id, user_id=user["id"], created_at=now(), expires_at=expires_at)
        db.refresh_tokens.insert(token_hash=_hash(token), session_id=session_id, created_at=now())
        audit.record(db, "auth.login", "session", session_id, actor=user)
        return True

    return _answer(services, user, session_id, token) if services.database.write(work) else None


def _rotate(db, digest: str, new_token: str) -> dict | None:
    sql = (
        f"SELECT {_USER}, s.id AS session_id FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id"
        " JOIN users u ON u.id = s.user_id WHERE r.token_hash = %s AND s.revoked_at IS NULL"
        " AND s.expires_at > %s AND u.is_active = 1"
    )
    rows = fetch(db, sql, digest, now().isoformat(" "))
    if not rows:
        return None
    session_id = rows[0]["session_id"]
    tokens = db.refresh_tokens
    spent = db((tokens.token_hash == digest) & (tokens.used_at == None)).update(used_at=now())
    if not spent:
        revoke_sessions(db, db.sessions.id == session_id)
        audit.record(db, "auth.refresh_reused", "session", session_id, actor=rows[0])
        log.warning("refresh token used twice, session ended", user_id=rows[0]["id"])
        return None
    tokens.insert(token_hash=_hash(new_token), session_id=session_id, created_at=now())
    db(db.sessions.id == session_id).update(expires_at=now() + REFRESH_LIFETIME)
    return rows[0]


def _answer(services: Services, user: dict, session_id: str, refresh_token: str) -> dict:
    return {
        "access_token": services.tokens.issue(user["id"], session_id),
        "refresh_token": refresh_token,
        "token_type": "Bearer",
        "expires_in": ACCESS_TOKEN_SECONDS,
        "user": user,
    }


def _new_token() -> str:
    return secrets.token_urlsafe(32)


def _hash(token: str) -> str:
    # The token has 256 random bits, so a plain hash suffices.
    return hashlib.sha256(token.encode()).hexdigest()
