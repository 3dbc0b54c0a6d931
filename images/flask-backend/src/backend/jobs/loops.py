"""The loops of the platform besides the job system's own."""

from __future__ import annotations

from backend.context import Services
from backend.database.session import fetch
from backend.guard.reconciler import Reconciler
from backend.integrations.deliveries import DEAD, PENDING
from backend.integrations.dispatcher import Dispatcher
from backend.jobs import store
from backend.jobs.background import Loop
from backend.shards.mover import move_in_background


def measure_backlog(services: Services) -> None:
    """Set the gauges of what waits: jobs, webhook deliveries, undispatched events."""

    def work(db) -> tuple[dict, list[dict], int]:
        deliveries = fetch(db, "SELECT state, COUNT(*) AS number FROM webhook_deliveries GROUP BY state")
        events = fetch(db, "SELECT COUNT(*) AS number FROM events WHERE dispatched = 0")
        return store.queue_depths(db), deliveries, events[0]["number"]

    jobs, deliveries, events = services.database.read(work)
    waiting = services.metrics.waiting
    for state, number in jobs.items():
        waiting.labels("jobs", state).set(number)
    found = {row["state"]: row["number"] for row in deliveries}
    for state in (PENDING, DEAD):
        waiting.labels("webhooks", state).set(found.get(state, 0))
    waiting.labels("events", "undispatched").set(events)


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
