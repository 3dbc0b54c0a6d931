"""The loops of the platform besides the job system's own."""

from __future__ import annotations

from backend.context import Services
from backend.database.session import fetch, now
from backend.guard.reconciler import Reconciler
from backend.integrations.deliveries import DEAD, PENDING
from backend.integrations.dispatcher import Dispatcher
from backend.jobs import store
from backend.jobs.background import Loop
from backend.shards.mover import move_in_background

_OLDEST = {
    "jobs": ("SELECT queued_at AS since FROM jobs WHERE state = %s ORDER BY queued_at LIMIT 1", store.QUEUED),
    "webhooks": (
        "SELECT created_at AS since FROM webhook_deliveries WHERE state = %s ORDER BY created_at LIMIT 1",
        PENDING,
    ),
    "events": ("SELECT created_at AS since FROM events WHERE dispatched = 0 ORDER BY id LIMIT 1",),
}


def measure_backlog(services: Services) -> None:
    """Set the gauges of what waits, and for how long: jobs, webhook deliveries, undispatched events."""

    def work(db) -> tuple[dict, list[dict], int, dict]:
        deliveries = fetch(db, "SELECT state, COUNT(*) AS number FROM webhook_deliveries GROUP BY state")
        events = fetch(db, "SELECT COUNT(*) AS number FROM events WHERE dispatched = 0")
        oldest = {what: fetch(db, sql, *values) for what, (sql, *values) in _OLDEST.items()}
        return store.queue_depths(db), deliveries, events[0]["number"], oldest

    jobs, deliveries, events, oldest = services.database.read(work)
    waiting = services.metrics.waiting
    for state, number in jobs.items():
        waiting.labels("jobs", state).set(number)
    found = {row["state"]: row["number"] for row in deliveries}
    for state in (PENDING, DEAD):
        waiting.labels("webhooks", state).set(found.get(state, 0))
    waiting.labels("events", "undispatched").set(events)
    for what, rows in oldest.items():
        age = max(0.0, (now() - rows[0]["since"]).total_seconds()) if rows else 0
        services.metrics.oldest.labels(what).set(age)


def platform_loops(services: Services) -> list[Loop]:
    """What one process of the platform does at all times, whoever that is."""
    loops = [
        Loop("backlog metrics", lambda: measure_backlog(services), 15),
        Loop("webhooks", Dispatcher(services).step, 1, "webhooks"),
        Loop("guard reconciler", Reconciler(services).step, 2, "guard-reconciler"),
    ]
    if services.settings.shards:
        # It takes its lease itself, as it may be at work for longer than a loop's lease lasts.
        loops.append(Loop("shards", lambda: move_in_background(services.shards), 30))
    return loops
