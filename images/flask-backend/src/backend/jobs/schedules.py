"""Jobs that start by themselves: one per period, however many processes ask."""

from __future__ import annotations

import time

from backend.database.session import Database
from backend.jobs import store
from backend.jobs.registry import load_kinds


def due(database: Database, clock: float | None = None) -> list[str]:
    """Store the job of every schedule whose period began and has none yet; returns their ids.

    Args:
        clock: seconds since 1970; the present by default.
    """
    found = []
    for kind in load_kinds().values():
        if not kind.every_seconds:
            continue
        period = int((time.time() if clock is None else clock) // kind.every_seconds)
        job_id = store.insert_scheduled(database, kind.name, f"{kind.name}@{period * kind.every_seconds}")
        if job_id:
            found.append(job_id)
    return found
