"""Writes the audit log, in the transaction of the change itself: both happen or neither does."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog
from flask import g, has_request_context, request
from pydal import DAL

from backend.database.session import now
from backend.events.outbox import emit
from backend.tenants import DEFAULT_TENANT

SYSTEM = "system"
ANONYMOUS = "anonymous"
_MAX_TARGET = 254


def record(
    db: DAL,
    action: str,
    target_type: str = "",
    target_id: object = "",
    details: dict | None = None,
    actor: dict | None = None,
) -> str:
    """Append one event; call it inside the `Database.write` that makes the change.

    Who, from where and the request id come from the request. Outside of one (commands, jobs) the actor is
    `system`.

    Args:
        db: the DAL that the transaction was given.
        action: dotted name, `users.create`; at most 60 characters.
        target_type: kind of the thing that changed, `user`; at most 40 characters.
        target_id: its id, or the name by which somebody tried to reach it.
        details: more, as JSON; never a secret.
        actor: row of a user whom the request does not know yet, at a login.

    Returns:
        The id of the event, a UUID of version 7.
    """
    event_id, who = new_id(), _who(actor)
    # Webhooks and live streams hear of it when, and only when, the change happens.
    told = {"audit_id": event_id, "actor": who["actor"], "target_type": target_type, "target_id": str(target_id)}
    emit(db, action, told | {"details": details or {}}, who["tenant"])
    db.audit_events.insert(
        id=event_id,
        occurred_at=now(),
        **who,
        action=action,
        target_type=target_type,
        target_id=str(target_id)[:_MAX_TARGET],
        details=json.dumps(details or {}, ensure_ascii=False, separators=(",", ":")),
    )
    return event_id


@contextmanager
def deletes_allowed(db: DAL) -> Iterator[None]:
    """Let the block delete events: only when they are kept long enough, or move to another database, and for tests.

    Call it within a transaction, which an error in the block must roll back.
    """
    begin, end = _LEAVE["postgresql" if db._dbname == "pooledpostgres" else "other"]
    db.executesql(begin)
    yield
    db.executesql(end)


_LEAVE = {
    "postgresql": ("SET LOCAL triptych.audit_maintenance = 'on'", "SET LOCAL triptych.audit_maintenance = 'off'"),
    "other": ("INSERT INTO audit_maintenance (id) VALUES (1)", "DELETE FROM audit_maintenance WHERE id = 1"),
}


def new_id() -> str:
    """A UUID of version 7 (RFC 9562) whose order within a process is finer than a millisecond."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    return _uuid7(milliseconds, fraction, secrets.randbits(62))


def first_id(moment: datetime) -> str:
    """The smallest id that an event at or after `moment` (aware) can have."""
    return _uuid7(int(moment.astimezone(UTC).timestamp() * 1000), 0, 0)


def _uuid7(milliseconds: int, fraction: int, rest: int) -> str:
    number = (milliseconds & (2**48 - 1)) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | rest
    return str(uuid.UUID(int=number))


def _who(actor: dict | None) -> dict:
    if not has_request_context():
        nobody = {"actor_id": None, "credential": "", "address": "", "request_id": ""}
        return nobody | {"tenant": DEFAULT_TENANT, "actor": SYSTEM}
    principal = g.get("principal")
    user = actor or (principal.user if principal else {"id": None, "email": ANONYMOUS, "tenant": DEFAULT_TENANT})
    return {
        "tenant": user["tenant"],
        "actor_id": user["id"],
        "actor": user["email"],
        "credential": principal.credential if principal else "",
        "address": (request.remote_addr or "")[:45],
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
    }
