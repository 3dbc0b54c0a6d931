"""Deliveries of webhooks: made from the outbox, tried again with backoff, kept as a log."""

from __future__ import annotations

import json
import random
import uuid
from datetime import timedelta

from backend.database.session import Database, fetch, for_update, now

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"
STATES = (PENDING, DELIVERED, DEAD)
# 10 s, 20 s, 40 s ... at most an hour: the last of 12 tries is about five hours after the first.
MAX_ATTEMPTS = 12
_FIRST_PAUSE_SECONDS = 10
_LONGEST_PAUSE_SECONDS = 3600
_CLAIM_SECONDS = 60
_EVENTS_PER_STEP = 200
_COLUMNS = "id, webhook_id, kind, state, attempts, next_attempt_at, last_status, last_error, duration_ms, created_at, finished_at"


def insert(db, webhook_id: int, kind: str, data: str, event_id: int | None = None) -> str:
    """Queue a delivery as part of the caller's transaction.

    Args:
        data: JSON object of the event.
        event_id: number of the event, the same for all webhooks and tries; a test has none.
    """
    delivery_id = uuid.uuid4().hex
    head = {"id": event_id, "delivery_id": delivery_id, "type": kind, "created_at": now().isoformat() + "Z"}
    body = json.dumps(head)[:-1] + f', "data": {data}}}'
    fields = {"kind": kind, "body": body, "state": PENDING, "next_attempt_at": now(), "created_at": now()}
    db.webhook_deliveries.insert(id=delivery_id, webhook_id=webhook_id, **fields)
    return delivery_id


def get(db, delivery_id: str) -> dict | None:
    """A delivery, or `None`."""
    rows = fetch(db, f"SELECT {_COLUMNS} FROM webhook_deliveries WHERE id = %s", delivery_id)
    return rows[0] if rows else None


def page(db, page: int, per_page: int, state: str, webhook_id: int) -> tuple[int, list[dict]]:
    """Number of all matching deliveries, and one page of them, newest first."""
    conditions = [(f"{name} = %s", value) for name, value in (("state", state), ("webhook_id", webhook_id)) if value]
    where = " WHERE " + " AND ".join(text for text, _ in conditions) if conditions else ""
    values = [value for _, value in conditions]
    total = fetch(db, f"SELECT COUNT(*) AS total FROM webhook_deliveries{where}", *values)[0]["total"]
    sql = f"SELECT {_COLUMNS} FROM webhook_deliveries{where} ORDER BY created_at DESC, id LIMIT %s OFFSET %s"
    return total, fetch(db, sql, *values, per_page, (page - 1) * per_page)


def wanted(kind: str, patterns: list[str]) -> bool:
    """Whether a webhook with these patterns (`*`, `users.*`, `users.create`) hears of a kind of event."""
    return any(pattern in ("*", kind, kind.partition(".")[0] + ".*") for pattern in patterns)


def fan_out(database: Database) -> int:
    """Turn undispatched events into deliveries, a step at a time; returns the number of events of this step."""

    def work(db) -> int:
        sql = f"SELECT id, kind, payload FROM events WHERE dispatched = 0 ORDER BY id LIMIT {_EVENTS_PER_STEP}"
        events = fetch(db, sql)
        if not events:
            return 0
        webhooks = fetch(db, "SELECT id, events, after_event FROM webhooks WHERE enabled = 1 ORDER BY id")
        for event in events:
            for webhook in webhooks:
                is_new = event["id"] > webhook["after_event"]
                if is_new and wanted(event["kind"], webhook["events"].split(",")):
                    insert(db, webhook["id"], event["kind"], event["payload"], event["id"])
        db(db.events.id.belongs([event["id"] for event in events])).update(dispatched=1)
        return len(events)

    waiting = database.read(lambda db: fetch(db, "SELECT id FROM events WHERE dispatched = 0 LIMIT 1"))
    return database.write(work) if waiting else 0


def claim_due(database: Database, limit: int) -> list[dict]:
    """Deliveries whose time has come, with URL and encrypted secret; nobody else gets them for a minute."""
    sql = (
        "SELECT d.id, d.webhook_id, d.kind, d.body, d.attempts, w.url, w.secret FROM webhook_deliveries d"
        " JOIN webhooks w ON w.id = d.webhook_id WHERE d.state = %s AND d.next_attempt_at <= %s"
        " ORDER BY d.next_attempt_at, d.id LIMIT %s"
    )

    def work(db) -> list[dict]:
        # A dispatcher whose lease ran out may still be at work: the lock gives each row to one of the two.
        rows = fetch(db, sql + for_update(db), PENDING, now().isoformat(" "), limit)
        claimed = db.webhook_deliveries.id.belongs([row["id"] for row in rows])
        if rows:
            db(claimed).update(next_attempt_at=now() + timedelta(seconds=_CLAIM_SECONDS))
        return rows

    # Most of the time nothing is due: find that out without a writer's lock.
    waiting = database.read(lambda db: fetch(db, sql, PENDING, now().isoformat(" "), 1))
    return database.write(work) if waiting else []


def finish(database: Database, delivery: dict, status: int | None, error: str, duration_ms: int, retry: bool) -> str:
    """Store the outcome of a try and return the new state.

    Args:
        error: empty when the receiver took it.
        retry: whether a later try may succeed.
    """
    attempts = delivery["attempts"] + 1
    fields = {"attempts": attempts, "last_status": status, "last_error": error[:300], "duration_ms": duration_ms}
    if not error:
        fields |= {"state": DELIVERED, "finished_at": now()}
    elif not retry or attempts >= MAX_ATTEMPTS:
        fields |= {"state": DEAD, "finished_at": now()}
    else:
        fields |= {"state": PENDING, "next_attempt_at": now() + pause(attempts)}
    table = database.dal.webhook_deliveries
    database.write(lambda db: db((table.id == delivery["id"]) & (table.state == PENDING)).update(**fields))
    return fields["state"]


def postpone(database: Database, delivery: dict, seconds: int) -> None:
    """Try later without counting: nothing was sent."""
    table = database.dal.webhook_deliveries
    later = now() + timedelta(seconds=seconds)
    database.write(lambda db: db((table.id == delivery["id"]) & (table.state == PENDING)).update(next_attempt_at=later))


def again(db, delivery_id: str) -> dict | None:
    """Queue a finished delivery once more, with a fresh count of tries; `None` when it is pending or unknown."""
    table = db.webhook_deliveries
    fields = {"state": PENDING, "attempts": 0, "next_attempt_at": now(), "finished_at": None}
    if not db((table.id == delivery_id) & (table.state != PENDING)).update(**fields):
        return None
    return get(db, delivery_id)


def pause(attempts: int) -> timedelta:
    """Time before the next try after so many: doubling, with a quarter of jitter to either side."""
    seconds = min(_FIRST_PAUSE_SECONDS * 2 ** (attempts - 1), _LONGEST_PAUSE_SECONDS)
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))
