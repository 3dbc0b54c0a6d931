"""The tables as PyDAL sees them; `migrations/` creates them."""

from __future__ import annotations

from pydal import DAL, Field

from backend.database.background_tables import define_background_tables


def define_tables(db: DAL) -> None:
    """Define every table once; never change a Field afterwards, the object is shared by all threads."""
    db.define_table(
        "users",
        Field("email", length=254),
        Field("full_name", length=200),
        Field("role", length=20),
        Field("is_active", "integer"),
        Field("password_hash", length=100),
        Field("created_at", "datetime"),
        Field("updated_at", "datetime"),
        Field("version", "integer"),
        Field("must_change_password", "integer"),
        Field("totp_secret", length=255),
        Field("totp_confirmed_at", "datetime"),
        Field("totp_last_step", "integer"),
        Field("tenant", length=40, default="default"),
    )
    # One row per login; revoking it ends its access and refresh tokens on every replica at once.
    db.define_table(
        "sessions",
        Field("id", length=32),
        Field("user_id", "integer"),
        Field("created_at", "datetime"),
        Field("expires_at", "datetime"),
        Field("revoked_at", "datetime"),
        Field("last_used_at", "datetime"),
        Field("address", length=45),
        Field("user_agent", length=200),
        primarykey=["id"],
    )
    db.define_table(
        "refresh_tokens",
        Field("token_hash", length=64),
        Field("session_id", length=32),
        Field("created_at", "datetime"),
        Field("used_at", "datetime"),
        Field("successor_salt", length=64),
        primarykey=["token_hash"],
    )
    db.define_table(
        "recovery_codes",
        Field("code_hash", length=64),
        Field("user_id", "integer"),
        Field("used_at", "datetime"),
        primarykey=["code_hash"],
    )
    # Between the two steps of a login with a second factor.
    db.define_table(
        "login_challenges",
        Field("token_hash", length=64),
        Field("user_id", "integer"),
        Field("attempts", "integer"),
        Field("expires_at", "datetime"),
        primarykey=["token_hash"],
    )
    db.define_table(
        "api_keys",
        Field("user_id", "integer"),
        Field("name", length=100),
        Field("prefix", length=20),
        Field("key_hash", length=64),
        Field("role", length=20),
        Field("created_at", "datetime"),
        Field("expires_at", "datetime"),
        Field("last_used_at", "datetime"),
        Field("revoked_at", "datetime"),
    )
    # Append-only: nothing may update or delete a row (`backend.audit.service`).
    db.define_table(
        "audit_events",
        Field("id", length=36),
        Field("occurred_at", "datetime"),
        Field("actor_id", "integer"),
        Field("actor", length=254),
        Field("credential", length=60),
        Field("action", length=60),
        Field("target_type", length=40),
        Field("target_id", length=254),
        Field("address", length=45),
        Field("request_id", length=64),
        Field("details", "text"),
        Field("tenant", length=40, default="default"),
        primarykey=["id"],
    )
    define_background_tables(db)
    db.define_table(
        "idempotency_keys",
        Field("id", length=64),
        Field("fingerprint", length=64),
        Field("status", "integer"),
        Field("headers", length=1000),
        Field("body", "text"),
        Field("created_at", "datetime"),
        Field("expires_at", "datetime"),
        primarykey=["id"],
    )
