"""Reads the audit log of the primary and all shards: filtered, newest first in pages, oldest first in an export."""

from __future__ import annotations

import json
from collections.abc import Iterator

from backend.audit.service import first_id
from backend.database.session import fetch
from backend.shards.cluster import Shards

EXPORT_BATCH = 1000
_COLUMNS = (
    "id, occurred_at, tenant, actor_id, actor, credential, action, target_type, target_id, address, request_id, details"
)
_EQUAL = ("tenant", "actor", "actor_id", "target_type", "target_id", "request_id")


def list_events(shards: Shards, filters: dict, limit: int, cursor: str) -> dict:
    """One page, newest first: `{events: [...], next_cursor: str | None}`.

    Args:
        filters: any of `tenant`, `actor`, `actor_id`, `action`, `target_type`, `target_id`, `request_id`, `since`, `until`.
        cursor: `next_cursor` of the page before, empty for the first.
    """
    conditions, values = _where(filters)
    if cursor:
        conditions, values = [*conditions, "id < %s"], [*values, cursor]
    rows = _gather(shards, filters, conditions, values, "DESC", limit + 1)
    events = rows[:limit]
    return {"events": events, "next_cursor": events[-1]["id"] if len(rows) > limit else None}


def export_events(shards: Shards, filters: dict) -> Iterator[list[dict]]:
    """Every event that fits and exists now, oldest first, in lists of up to `EXPORT_BATCH`.

    Each list is a short transaction of its own: rows are never changed, so no snapshot has to be held open.
    """
    conditions, values = _where(filters)
    newest = _gather(shards, filters, conditions, values, "DESC", 1, replica=False)
    if not newest:
        return
    bounded, end = [*conditions, "id > %s", "id <= %s"], newest[0]["id"]
    last = ""
    while last != end:
        batch = _gather(shards, filters, bounded, [*values, last, end], "ASC", EXPORT_BATCH)
        if not batch:
            return
        yield batch
        last = batch[-1]["id"]


def count_events(shards: Shards, filters: dict) -> int:
    """How many events fit now; while events move between shards, those on their way may be missing."""
    conditions, values = _where(filters)
    sql = "SELECT COUNT(*) AS total FROM audit_events"
    if shards.databases:
        # Those that may be at their source, too, are counted there.
        arrived = "SELECT 1 FROM shard_arrivals a WHERE a.table_name = 'audit_events' AND a.row_id = audit_events.id"
        conditions = [*conditions, f"NOT EXISTS ({arrived})"]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    found = shards.gather(
        lambda database: database.read(lambda db: fetch(db, sql + where, *values)[0]["total"]),
        filters.get("tenant"),
        backwards=True,
    )
    return sum(found)


def _gather(
    shards: Shards, filters: dict, conditions: list[str], values: list, order: str, limit: int, replica: bool = True
) -> list[dict]:
    """The first rows of all databases together, each once."""
    found = shards.gather(
        lambda database: database.read(lambda db: _select(db, conditions, values, order, limit), replica),
        filters.get("tenant"),
    )
    if len(found) == 1:
        return found[0]
    rows = {row["id"]: row for part in found for row in part}
    return [rows[key] for key in sorted(rows, reverse=order == "DESC")[:limit]]


def _select(db, conditions: list[str], values: list, order: str, limit: int) -> list[dict]:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f"SELECT {_COLUMNS} FROM audit_events{where} ORDER BY id {order} LIMIT %s"
    rows = fetch(db, sql, *values, limit)
    return [row | {"details": json.loads(row["details"])} for row in rows]


def _where(filters: dict) -> tuple[list[str], list]:
    conditions = [f"{name} = %s" for name in _EQUAL if name in filters]
    values = [filters[name] for name in _EQUAL if name in filters]
    if "action" in filters:
        # A domain's name finds all of its actions.
        conditions.append("(action = %s OR action LIKE %s ESCAPE '!')")
        values += [filters["action"], _escape_like(filters["action"]) + ".%"]
    for name, comparison in (("since", ">="), ("until", "<")):
        if name in filters:
            conditions.append(f"id {comparison} %s")
            values.append(first_id(filters[name]))
    return conditions, values


def _escape_like(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
