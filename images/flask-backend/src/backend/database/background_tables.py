"""Tables of what runs beside the requests: jobs, the outbox and who hears of its events."""

from __future__ import annotations

from pydal import DAL, Field


def define_background_tables(db: DAL) -> None:
    """Define every table of this module; see `define_tables`."""
    define_job_tables(db)
    define_webhook_tables(db)
    define_guard_tables(db)


def background_tables(db: DAL) -> list:
    """The tables of this module, those that refer to others first."""
    return [db.guard_rules, db.webhook_deliveries, db.webhooks, db.job_chunks, db.jobs, db.leases, db.events]


def define_job_tables(db: DAL) -> None:
    """Background jobs with their input and output, leases, and the outbox of events."""
    db.define_table(
        "jobs",
        Field("id", length=32),
        Field("kind", length=50),
        Field("state", length=20),
        Field("arguments", "text"),
        Field("result", "text"),
        Field("error", length=500, default=""),
        Field("progress_done", "integer", default=0),
        Field("progress_total", "integer", default=0),
        Field("attempts", "integer", default=0),
        Field("cancel_requested", "integer", default=0),
        Field("worker", length=64, default=""),
        Field("schedule_key", length=100),
        Field("created_by", "integer"),
        Field("created_at", "datetime"),
        Field("queued_at", "datetime"),
        Field("started_at", "datetime"),
        Field("heartbeat_at", "datetime"),
        Field("finished_at", "datetime"),
        primarykey=["id"],
    )
    db.define_table("job_chunks", Field("job_id", length=32), Field("direction", length=10), Field("content", "text"))
    db.define_table(
        "leases",
        Field("name", length=50),
        Field("holder", length=64),
        Field("expires_at", "datetime"),
        primarykey=["name"],
    )
    db.define_table(
        "events",
        Field("kind", length=60),
        Field("audience", length=20),
        Field("payload", "text"),
        Field("dispatched", "integer", default=0),
        Field("created_at", "datetime"),
        Field("tenant", length=40, default="default"),
    )


def define_webhook_tables(db: DAL) -> None:
    """Webhooks and the log of their deliveries."""
    db.define_table(
        "webhooks",
        Field("url", length=2000),
        Field("description", length=200),
        Field("events", length=2000),
        Field("secret", "text"),
        Field("enabled", "integer"),
        Field("after_event", "integer"),
        Field("created_at", "datetime"),
        Field("updated_at", "datetime"),
    )
    db.define_table(
        "webhook_deliveries",
        Field("id", length=32),
        Field("webhook_id", "integer"),
        Field("kind", length=60),
        Field("body", "text"),
        Field("state", length=20),
        Field("attempts", "integer", default=0),
        Field("next_attempt_at", "datetime"),
        Field("last_status", "integer"),
        Field("last_error", length=300, default=""),
        Field("duration_ms", "integer"),
        Field("created_at", "datetime"),
        Field("finished_at", "datetime"),
        primarykey=["id"],
    )


def define_guard_tables(db: DAL) -> None:
    """Rules of the edge guard, and the one row (id 1) with their policy and revision."""
    limits = ("packets_per_second", "packets_burst", "syns_per_second", "syns_burst")
    db.define_table(
        "guard_rules",
        Field("id", length=32),
        Field("prefix", length=50),
        Field("protocol", "integer"),
        Field("ports", length=200),
        Field("action", length=10),
        *[Field(name, "integer", default=0) for name in limits],
        Field("expires_at", "datetime"),
        Field("owner", length=64),
        Field("comment", length=256),
        Field("count_only", "integer"),
        Field("created_at", "datetime"),
        Field("updated_at", "datetime"),
        primarykey=["id"],
    )
    db.define_table(
        "guard_policy",
        Field("id", "integer"),
        Field("revision", "integer"),
        Field("default_action", length=10),
        *[Field(name, "integer", default=0) for name in limits],
        primarykey=["id"],
    )
