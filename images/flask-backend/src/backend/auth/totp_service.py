"""Enrolling, confirming and turning off the own second factor."""

from __future__ import annotations

from backend.audit import service as audit
from backend.auth import second_factor
from backend.auth.login import begin_attempt, confirm_password
from backend.auth.principal import Client, Principal
from backend.context import Services
from backend.crypto import CryptoError
from backend.database.session import fetch, now
from backend.problems import Problem

_WRONG_CODE = (403, "The code is wrong, expired or used already.", "wrong-code")


def state(services: Services, principal: Principal) -> dict:
    """`{enabled, recovery_codes_left}`."""
    sql = "SELECT COUNT(*) AS number FROM recovery_codes WHERE user_id = %s AND used_at IS NULL"
    left = services.database.read(lambda db: fetch(db, sql, principal.user_id))[0]["number"]
    return {"enabled": bool(principal.user["totp_enabled"]), "recovery_codes_left": left}


def enrol(services: Services, principal: Principal, password: str, client: Client) -> dict:
    """Make a new secret, which counts once `confirm` got a code of it: `{secret, provisioning_uri}`.

    Raises:
        Problem: 403 for a wrong password, 409 when the factor is on, 429, 503.
    """
    user = principal.user
    confirm_password(services, user, password, client)
    secret = second_factor.new_secret()
    try:
        sealed = second_factor.seal(services.totp_secrets, user["id"], secret)
    except CryptoError as error:
        raise Problem(503, f"Second factors are not set up: {error}", "no-encryption-key") from None

    def work(db) -> None:
        off = (db.users.id == user["id"]) & (db.users.totp_confirmed_at == None)
        if not db(off).update(totp_secret=sealed, totp_last_step=None):
            raise Problem(409, "The second factor is on; turn it off first.", "second-factor-on")
        audit.record(db, "auth.totp_enrol", "user", user["id"])

    services.database.write(work)
    return {"secret": secret, "provisioning_uri": second_factor.provisioning_uri(secret, user["email"])}


def confirm(services: Services, principal: Principal, code: str, client: Client) -> dict:
    """Turn the factor on with a first code: `{recovery_codes}`, which are never shown again.

    Raises:
        Problem: 403 for a wrong code, 429.
    """
    user, codes = principal.user, second_factor.new_recovery_codes()
    attempt = begin_attempt(services, "code", user["email"], client)

    def work(db) -> None:
        if not second_factor.accept_totp(db, services.totp_secrets, user["id"], code, confirmed=False):
            raise Problem(*_WRONG_CODE)
        on = {"totp_confirmed_at": now(), "version": db.users.version + 1}
        db(db.users.id == user["id"]).update(**on)
        second_factor.replace_recovery_codes(db, user["id"], codes)
        audit.record(db, "auth.totp_confirm", "user", user["id"])

    services.database.write(work)
    services.throttle.succeeded(attempt)
    return {"recovery_codes": codes}


def renew_recovery_codes(services: Services, principal: Principal, password: str, code: str, client: Client) -> dict:
    """Replace all recovery codes: `{recovery_codes}`. Raises as `disable` does."""
    codes = second_factor.new_recovery_codes()

    def work(db) -> None:
        second_factor.replace_recovery_codes(db, principal.user_id, codes)
        audit.record(db, "auth.recovery_codes_renew", "user", principal.user_id)

    _with_both_factors(services, principal, password, code, client, work)
    return {"recovery_codes": codes}


def disable(services: Services, principal: Principal, password: str, code: str, client: Client) -> None:
    """Turn the factor off.

    Raises:
        Problem: 403 for a wrong password or code, 429, 503.
    """

    def work(db) -> None:
        second_factor.clear(db, principal.user_id)
        audit.record(db, "auth.totp_disable", "user", principal.user_id)

    _with_both_factors(services, principal, password, code, client, work)


def _with_both_factors(services: Services, principal: Principal, password: str, code: str, client: Client, then):
    user = principal.user
    confirm_password(services, user, password, client)
    attempt = begin_attempt(services, "code", user["email"], client)

    def work(db) -> None:
        if not second_factor.accept(db, services.totp_secrets, user["id"], code):
            raise Problem(*_WRONG_CODE)
        then(db)

    services.database.write(work)
    services.throttle.succeeded(attempt)
