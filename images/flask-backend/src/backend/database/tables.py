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
    )
    # One row per login; revoking it ends its access and refresh tokens on every replica at once.
    db.define_table(
        "sessions",
        Field("id", length=32),
        Field("user_id", "integer"),
        Field("created_at", "datetime"),
        Field("expires_at", "datetime"),
        Field("revoked_at", "datetime"),
        primarykey=["id"],
    )
    db.define_table(
        "refresh_tokens",
        Field("token_hash", length=64),
        Field("session_id", length=32),
        Field("created_at", "datetime"),
        Field("used_at", "datetime"),
        primarykey=["token_hash"],
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
        primarykey=["id"],
    )
    define_background_tables(db)
