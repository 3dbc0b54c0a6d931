"""Time-based one-time codes (RFC 6238) and recovery codes."""

from __future__ import annotations

import base64
import secrets
import time

import pyotp
from pydal import DAL
from pyotp.utils import strings_equal

from backend.auth.opaque import token_hash
from backend.crypto import CryptoError, SecretBox
from backend.database.session import fetch, now

ISSUER = "Triptych"
STEP_SECONDS = 30
# A code is good for one step before and after its own: clocks differ.
DRIFT_STEPS = 1
RECOVERY_CODES = 10
_CODE_BYTES = 15  # 120 bits, so that a plain hash suffices (ASVS 5, 6.5.2)
_GROUP = 6


def new_secret() -> str:
    """A secret of 160 bits in base 32."""
    return pyotp.random_base32(32)


def provisioning_uri(secret: str, email: str) -> str:
    """The `otpauth:` address that an authenticator scans."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def seal(box: SecretBox, user_id: int, secret: str) -> str:
    """The secret as it is stored: copied to another user's row it does not open. Raises `CryptoError`."""
    return box.encrypt(f"{user_id}:{secret}")


def unseal(box: SecretBox, user_id: int, sealed: str) -> str:
    """The secret that was sealed for this user. Raises `CryptoError`."""
    owner, _, secret = box.decrypt(sealed).partition(":")
    if owner != str(user_id):
        raise CryptoError(f"the second factor of user {user_id} belongs to user {owner}")
    return secret


def matching_step(secret: str, code: str) -> int | None:
    """The time step that a six-digit code belongs to, when it is near enough to now."""
    present = int(time.time()) // STEP_SECONDS
    totp = pyotp.TOTP(secret)
    for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1):
        if strings_equal(totp.generate_otp(step), code):
            return step
    return None


def accept(db: DAL, box: SecretBox, user_id: int, code: str) -> bool:
    """Use up a one-time or recovery code of a user whose factor is on; part of the caller's transaction."""
    if len(code) == 6:
        return accept_totp(db, box, user_id, code, confirmed=True)
    codes = db.recovery_codes
    unused = (codes.code_hash == _recovery_hash(code)) & (codes.user_id == user_id) & (codes.used_at == None)
    return db(unused).update(used_at=now()) == 1


def accept_totp(db: DAL, box: SecretBox, user_id: int, code: str, confirmed: bool) -> bool:
    """Use up a one-time code: its step and all before it are refused from now on.

    Args:
        confirmed: whether the factor must be on, or must still wait for its first code.
    """
    state = "IS NOT NULL" if confirmed else "IS NULL"
    sql = f"SELECT totp_secret FROM users WHERE id = %s AND totp_secret IS NOT NULL AND totp_confirmed_at {state}"
    rows = fetch(db, sql, user_id)
    step = matching_step(unseal(box, user_id, rows[0]["totp_secret"]), code) if rows else None
    if step is None:
        return False
    newer = (db.users.totp_last_step == None) | (db.users.totp_last_step < step)
    same_secret = db.users.totp_secret == rows[0]["totp_secret"]
    return db((db.users.id == user_id) & same_secret & newer).update(totp_last_step=step) == 1


def replace_recovery_codes(db: DAL, user_id: int, codes: list[str]) -> None:
    """Make `codes` the only good ones of a user."""
    db(db.recovery_codes.user_id == user_id).delete()
    for code in codes:
        db.recovery_codes.insert(code_hash=_recovery_hash(code), user_id=user_id)


def new_recovery_codes() -> list[str]:
    """Fresh codes in groups of letters and digits, each good for one login."""
    return [_grouped(secrets.token_bytes(_CODE_BYTES)) for _ in range(RECOVERY_CODES)]


def clear(db: DAL, user_id: int) -> None:
    """Turn the second factor of a user off."""
    db(db.recovery_codes.user_id == user_id).delete()
    off = {"totp_secret": None, "totp_confirmed_at": None, "totp_last_step": None}
    db(db.users.id == user_id).update(**off, version=db.users.version + 1)


def _grouped(data: bytes) -> str:
    text = base64.b32encode(data).decode()
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def _recovery_hash(code: str) -> str:
    return token_hash("".join(code.split()).replace("-", "").upper())
