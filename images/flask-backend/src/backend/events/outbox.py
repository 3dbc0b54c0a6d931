"""The transactional outbox: an event is stored with the change that it tells of, or neither is."""

from __future__ import annotations

import json

from backend.database.session import now

# Who may see events of a kind, by its first word; any other word is for everybody signed in.
_ADMINS_ONLY = {"user", "audit", "api_key", "webhook", "session", "auth"}
# Kinds that only live streams carry: too many, and of no use, for a webhook.
_LIVE_ONLY = {"job.progress", "guard.status"}
EVERYBODY, ADMINS = "all", "admin"


def emit(db, kind: str, payload: dict) -> None:
    """Store an event as part of the caller's transaction.

    Args:
        kind: `domain.what`, for example `user.created`; at most 60 characters.
        payload: a JSON object without secrets; webhooks carry it to other systems.
    """
    audience = ADMINS if kind.partition(".")[0] in _ADMINS_ONLY else EVERYBODY
    encoded = json.dumps(payload, default=_encode)
    live_only = int(kind in _LIVE_ONLY)
    db.events.insert(kind=kind, audience=audience, payload=encoded, dispatched=live_only, created_at=now())


def _encode(value) -> str:
    return value.isoformat() + "Z"
