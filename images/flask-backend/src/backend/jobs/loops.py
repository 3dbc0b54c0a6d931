"""The loops of the platform besides the job system's own."""

from __future__ import annotations

from backend.context import Services
from backend.guard.reconciler import Reconciler
from backend.integrations.dispatcher import Dispatcher
from backend.jobs.background import Loop


def platform_loops(services: Services) -> list[Loop]:
    """What one process of the platform does at all times, whoever that is."""
    return [
        Loop("webhooks", Dispatcher(services).step, 1, "webhooks"),
        Loop("guard reconciler", Reconciler(services).step, 2, "guard-reconciler"),
    ]
