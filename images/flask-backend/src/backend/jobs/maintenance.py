"""Scheduled clean-ups, in steps so small that no request waits for one."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

from backend.audit.service import deletes_allowed, first_id
from backend.database.session import fetch, now
from backend.jobs.registry import JobContext, Kind, register

BATCH = 500
_KEEP_JOBS = timedelta(days=7)
_KEEP_DELIVERIES = timedelta(days=30)
_KEEP_EVENTS = timedelta(days=2)
_KEEP_SESSIONS = timedelta(days=1)


def delete_in_batches(
    context: JobContext, table: str, where: str, *values, within=lambda db: nullcontext(), database=None
) -> int:
    """Delete the rows (with a key `id`) that a condition selects, `BATCH` per transaction, and return their number.

    Args:
        within: makes, from the DAL, a context in which each transaction's deletion runs.
        database: the `Database` that holds the table; the primary by default.
    """
    database, deleted = database or context.services.database, 0

    def work(db) -> int:
        ids = [row["id"] for row in fetch(db, f"SELECT id FROM {table} WHERE {where} LIMIT {BATCH}", *values)]
        with within(db):
            return db(db[table].id.belongs(ids)).delete() if ids else 0

    while count := database.write(work):
        deleted += count
        context.progress(deleted, deleted + BATCH)
    context.progress(deleted, deleted)
    return deleted


def delete_everywhere(context: JobContext, table: str, where: str, *values, within=lambda db: nullcontext()) -> int:
    """The same on the primary and on every shard in use. Raises `DatabaseUnavailable` after the first one away."""
    shards = context.services.shards
    layout = shards.layout()
    return sum(
        delete_in_batches(context, table, where, *values, within=within, database=shards.database(name, layout))
        for name in sorted(layout.sources())
    )


def _before(age: timedelta) -> str:
    return (now() - age).isoformat(" ")


def _sessions(context: JobContext) -> dict:
    # Refresh tokens go with their session.
    limit = _before(_KEEP_SESSIONS)
    return {"deleted": delete_in_batches(context, "sessions", "expires_at < %s OR revoked_at < %s", limit, limit)}


def _jobs(context: JobContext) -> dict:
    return {"deleted": delete_in_batches(context, "jobs", "finished_at < %s", _before(_KEEP_JOBS))}


def _events(context: JobContext) -> dict:
    where = "dispatched = 1 AND created_at < %s"
    return {"deleted": delete_everywhere(context, "events", where, _before(_KEEP_EVENTS))}


def _deliveries(context: JobContext) -> dict:
    limit = _before(_KEEP_DELIVERIES)
    return {"deleted": delete_in_batches(context, "webhook_deliveries", "finished_at < %s", limit)}


def _audit(context: JobContext) -> dict:
    days = context.services.settings.audit_retention_days
    if not days:
        return {"deleted": 0, "note": "AUDIT_RETENTION_DAYS is 0: everything is kept"}
    # The id begins with the time.
    oldest = first_id(datetime.now(UTC) - timedelta(days=days))
    return {"deleted": delete_everywhere(context, "audit_events", "id < %s", oldest, within=deletes_allowed)}


register(Kind("cleanup.audit", _audit, every_seconds=3600))
register(Kind("cleanup.deliveries", _deliveries, every_seconds=3600))
register(Kind("cleanup.sessions", _sessions, every_seconds=900))
register(Kind("cleanup.jobs", _jobs, every_seconds=3600))
register(Kind("cleanup.events", _events, every_seconds=3600))
