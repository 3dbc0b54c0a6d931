"""Login: password, then the second factor where there is one."""

from __future__ import annotations

from datetime import timedelta

import structlog
from pydal import DAL

from backend.audit import service as audit
from backend.auth import second_factor
from backend.auth.opaque import new_token, token_hash
from backend.auth.principal import Client
from backend.auth.sessions import open_session, tokens_answer
from backend.auth.throttle import Attempt, Throttled, network_of
from backend.context import Services
from backend.database.session import fetch, for_update, now
from backend.fields import fold_email
from backend.problems import Problem
from backend.users.rows import user_columns

log = structlog.get_logger(__name__)
CHALLENGE_LIFETIME = timedelta(minutes=5)
CHALLENGE_ATTEMPTS = 5
_BAD_CREDENTIALS = (401, "Wrong e-mail address or password.", "bad-credentials")
_BAD_CODE = (401, "Wrong code, or the login took too long; start again.", "bad-code")


def login(services: Services, email: str, password: str, client: Client) -> dict:
    """Check a password.

    Returns:
        Body of the answer: tokens and user, or `{challenge_token, expires_in}` for `login_second_factor`.

    Raises:
        Problem: 401 for a wrong pair, 429 after too many failures, 503 when busy.
    """
    email = fold_email(email)
    attempt = begin_attempt(services, "login", email, client)
    user = services.database.read(lambda db: _find(db, email))
    try:
        fits = services.hasher.check(password, user["password_hash"] if user else None)
    except Problem:
        services.metrics.count_login("busy")
        raise
    answer = _password_fits(services, user, password, client) if fits and user["is_active"] else None
    if answer is None:
        services.metrics.count_login("refused")
        log.info("login refused", address=client.address)
        services.database.write(lambda db: audit.record(db, "auth.login_failed", "user", email, actor=user))
        raise Problem(*_BAD_CREDENTIALS)
    services.throttle.succeeded(attempt)
    services.metrics.count_login("challenged" if "challenge_token" in answer else "accepted")
    return answer


def login_second_factor(services: Services, challenge_token: str, code: str, client: Client) -> dict:
    """Finish a login with a one-time or recovery code.

    Raises:
        Problem: 401 for a wrong code or challenge, 429 after too many failures.
    """
    digest = token_hash(challenge_token)
    user = services.database.write(lambda db: _take_attempt(db, digest))
    if user is None:
        raise Problem(*_BAD_CODE)
    attempt = begin_attempt(services, "code", user["email"], client)
    token = new_token()

    def work(db: DAL) -> str | None:
        accepted = second_factor.accept(db, services.totp_secrets, user["id"], code)
        if not accepted or not db(db.login_challenges.token_hash == digest).delete():
            audit.record(db, "auth.second_factor_failed", "user", user["id"], actor=user)
            return None
        return open_session(db, user, client, token)

    session_id = services.database.write(work)
    if session_id is None:
        services.metrics.count_login("refused")
        raise Problem(*_BAD_CODE)
    services.throttle.succeeded(attempt)
    services.metrics.count_login("accepted")
    return tokens_answer(services.tokens, user, session_id, token)


def confirm_password(services: Services, user: dict, password: str, client: Client) -> str:
    """Check the password of a signed-in user again; returns its stored hash.

    Raises:
        Problem: 403 when it is wrong, 429 after too many failures, 503 when busy.
    """
    attempt = begin_attempt(services, "confirm", user["email"], client)
    row = services.database.read(lambda db: _find(db, user["email"]))
    if row is None or not services.hasher.check(password, row["password_hash"]):
        services.database.write(lambda db: audit.record(db, "auth.confirm_failed", "user", user["id"]))
        raise Problem(403, "The current password is wrong.", "wrong-password")
    services.throttle.succeeded(attempt)
    return row["password_hash"]


def begin_attempt(services: Services, kind: str, email: str, client: Client) -> Attempt:
    """Count an attempt. Raises a 429 `Problem` with the real time to wait."""

    def is_known() -> bool:
        return services.database.read(lambda db: _known_address(db, email, client.address))

    try:
        return services.throttle.begin(kind, email, client.address, is_known)
    except Throttled as throttled:
        services.metrics.count_login("throttled")
        services.metrics.throttled.labels(kind, throttled.scope).inc()
        detail = f"Too many failed attempts; wait {throttled.retry_after} s before the next one."
        raise Problem(429, detail, "throttled", retry_after=throttled.retry_after) from None


def _find(db: DAL, email: str) -> dict | None:
    rows = fetch(db, f"SELECT {user_columns('u')}, u.password_hash FROM users u WHERE u.email = %s", email)
    return rows[0] if rows else None


def _known_address(db: DAL, email: str, address: str) -> bool:
    sql = "SELECT DISTINCT s.address FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.email = %s"
    return network_of(address) in {network_of(row["address"]) for row in fetch(db, sql, email)}


def _password_fits(services: Services, user: dict, password: str, client: Client) -> dict | None:
    """Open the session or the challenge; `None` when the account changed while bcrypt ran."""
    token = new_token()
    upgraded = services.hasher.upgrade(password, user["password_hash"])

    def work(db: DAL) -> str | None:
        factor = "IS NOT NULL" if user["totp_enabled"] else "IS NULL"
        sql = f"SELECT id FROM users WHERE id = %s AND password_hash = %s AND is_active = 1 AND totp_confirmed_at {factor}"
        if not fetch(db, sql + for_update(db), user["id"], user["password_hash"]):
            return None
        if upgraded:
            db(db.users.id == user["id"]).update(password_hash=upgraded)
        if user["totp_enabled"]:
            return _open_challenge(db, user["id"], token)
        return open_session(db, user, client, token)

    opened = services.database.write(work)
    if opened is None:
        return None
    if user["totp_enabled"]:
        return {"challenge_token": token, "expires_in": int(CHALLENGE_LIFETIME.total_seconds())}
    return tokens_answer(services.tokens, user, opened, token)


def _open_challenge(db: DAL, user_id: int, token: str) -> str:
    db((db.login_challenges.user_id == user_id) & (db.login_challenges.expires_at < now())).delete()
    expires_at = now() + CHALLENGE_LIFETIME
    digest = token_hash(token)
    db.login_challenges.insert(token_hash=digest, user_id=user_id, attempts=0, expires_at=expires_at)
    return digest


def _take_attempt(db: DAL, digest: str) -> dict | None:
    """The user of a challenge that has attempts left; one of them is used up."""
    challenges = db.login_challenges
    usable = (challenges.token_hash == digest) & (challenges.expires_at > now())
    if not db(usable & (challenges.attempts < CHALLENGE_ATTEMPTS)).update(attempts=challenges.attempts + 1):
        return None
    sql = (
        f"SELECT {user_columns('u')} FROM users u JOIN login_challenges c ON c.user_id = u.id"
        " WHERE c.token_hash = %s AND u.is_active = 1"
    )
    rows = fetch(db, sql, digest)
    return rows[0] if rows else None
