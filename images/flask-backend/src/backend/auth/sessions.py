"""Sessions: opened by a login, listed, and ended one by one or all at once.

The database is the one truth about them (`docs/decisions/0005`): what ends here ends on every replica at once.
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

from pydal import DAL

from backend.audit import service as audit
from backend.auth.opaque import token_hash
from backend.auth.principal import Client, Principal
from backend.auth.tokens import ACCESS_TOKEN_SECONDS, InvalidToken, TokenIssuer
from backend.context import Services
from backend.database.session import fetch, now
from backend.problems import Problem
from backend.users.rows import user_columns

IDLE_LIFETIME = timedelta(days=7)
# However often it is refreshed, a session ends and the password is asked for again.
LONGEST_LIFETIME = timedelta(days=30)
# More than anybody looks through; a program that signs in instead of using an API key would fill pages.
MAX_LISTED = 200
_SESSION_ID = re.compile(r"[0-9a-f]{32}")


def authenticate(services: Services, token: str) -> Principal:
    """The principal of an access token. Raises `InvalidToken`, or `DatabaseUnavailable`."""
    claims = services.tokens.verify(token)
    sql = (
        f"SELECT {user_columns('u')} FROM users u JOIN sessions s ON s.user_id = u.id"
        " WHERE s.id = %s AND u.id = %s AND s.revoked_at IS NULL AND u.is_active = 1"
    )
    rows = services.database.read(lambda db: fetch(db, sql, claims.session_id, claims.user_id))
    if not rows:
        raise InvalidToken("session ended")
    return Principal(rows[0], claims.session_id)


def open_session(db: DAL, user: dict, client: Client, token: str) -> str:
    """Store a session and its first refresh token; returns its id. Part of the login's transaction."""
    session_id = secrets.token_hex(16)
    moment = now()
    db((db.sessions.user_id == user["id"]) & (db.sessions.expires_at < moment)).delete()
    db.sessions.insert(
        id=session_id,
        user_id=user["id"],
        created_at=moment,
        last_used_at=moment,
        expires_at=moment + IDLE_LIFETIME,
        address=client.address,
        user_agent=client.user_agent,
    )
    db.refresh_tokens.insert(token_hash=token_hash(token), session_id=session_id, created_at=moment)
    audit.record(db, "auth.login", "session", session_id, actor=user)
    return session_id


def tokens_answer(tokens: TokenIssuer, user: dict, session_id: str, refresh_token: str) -> dict:
    """Body of every answer that hands out tokens."""
    return {
        "access_token": tokens.issue(user["id"], session_id),
        "refresh_token": refresh_token,
        "token_type": "Bearer",
        "expires_in": ACCESS_TOKEN_SECONDS,
        "user": user,
    }


def list_sessions(services: Services, principal: Principal) -> dict:
    """The live sessions of a user, the own one and then the last used first: `{sessions: [...]}`."""
    sql = (
        "SELECT id, created_at, last_used_at, expires_at, address, user_agent FROM sessions"
        " WHERE user_id = %s AND revoked_at IS NULL AND expires_at > %s"
        f" ORDER BY CASE WHEN id = %s THEN 0 ELSE 1 END, last_used_at DESC, id LIMIT {MAX_LISTED}"
    )
    values = principal.user_id, now().isoformat(" "), principal.session_id
    rows = services.database.read(lambda db: fetch(db, sql, *values))
    return {"sessions": [row | {"current": row["id"] == principal.session_id} for row in rows]}


def logout(services: Services, principal: Principal) -> None:
    """End the session of the request: its access and refresh tokens are refused from now on."""

    def work(db) -> None:
        revoke_sessions(db, db.sessions.id == principal.session_id)
        audit.record(db, "auth.logout", "session", principal.session_id)

    services.database.write(work)


def logout_all(services: Services, principal: Principal) -> None:
    """End every session of the user, this one included."""

    def work(db) -> None:
        ended = revoke_of_user(db, principal.user_id)
        audit.record(db, "auth.logout_all", "user", principal.user_id, {"sessions": ended})

    services.database.write(work)


def end_session(services: Services, principal: Principal, session_id: str) -> None:
    """End one of the user's own sessions. Raises a 404 `Problem`."""

    def work(db) -> None:
        own = (db.sessions.id == session_id) & (db.sessions.user_id == principal.user_id)
        if not _SESSION_ID.fullmatch(session_id) or not revoke_sessions(db, own):
            raise Problem(404, "You have no such session.", "no-such-session")
        audit.record(db, "auth.end_session", "session", session_id)

    services.database.write(work)


def revoke_of_user(db: DAL, user_id: int) -> int:
    """End all sessions and half-done logins of a user; returns the number of sessions."""
    db(db.login_challenges.user_id == user_id).delete()
    return revoke_sessions(db, db.sessions.user_id == user_id)


def revoke_sessions(db: DAL, query) -> int:
    """Revoke the live sessions that a PyDAL query selects; returns their number."""
    return db(query & (db.sessions.revoked_at == None)).update(revoked_at=now())
