"""The transactional outbox: an event is stored with the change that it tells of, or neither is."""

from __future__ import annotations

import json

from backend.database.session import now
from backend.tenants import acting_tenant

# First words of the kinds that everybody signed in may see; all others are for admins.
_FOR_EVERYBODY = {"job", "guard", "ingest"}
# Kinds that only live streams carry: too many, and of no use, for a webhook.
_LIVE_ONLY = {"job.progress", "guard.status"}
EVERYBODY, ADMINS = "all", "admin"


def emit(db, kind: str, payload: dict, tenant: str = "") -> None:
    """Store an event as part of the caller's transaction.

    Args:
        kind: `domain.what`, for example `users.create`; at most 60 characters.
        payload: a JSON object without secrets; webhooks carry it to other systems.
        tenant: by default that of the user who acts.
    """
    audience = EVERYBODY if kind.partition(".")[0] in _FOR_EVERYBODY else ADMINS
    encoded = json.dumps(payload, default=_encode)
    live_only = int(kind in _LIVE_ONLY)
    fields = {"audience": audience, "payload": encoded, "dispatched": live_only, "created_at": now()}
    db.events.insert(kind=kind, tenant=tenant or acting_tenant(), **fields)


def _encode(value) -> str:
    return value.isoformat() + "Z"
