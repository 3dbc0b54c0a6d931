"""How a user is read: the one list of columns that principals, sessions and the users API share."""

from __future__ import annotations

_NAMES = (
    "id",
    "email",
    "full_name",
    "role",
    "tenant",
    "is_active",
    "must_change_password",
    "created_at",
    "updated_at",
    "version",
)


def user_columns(alias: str) -> str:
    """SELECT list of a public user from the table `users` under an alias; never a secret."""
    plain = ", ".join(f"{alias}.{name}" for name in _NAMES)
    return f"{plain}, CASE WHEN {alias}.totp_confirmed_at IS NULL THEN 0 ELSE 1 END AS totp_enabled"
