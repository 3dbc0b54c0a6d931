"""Reads the audit log: filtered, newest first in pages, oldest first in an export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

from backend.audit.service import first_id
from backend.database.session import Database, fetch

EXPORT_BATCH = 1000
_COLUMNS = "id, occurred_at, actor_id, actor, credential, action, target_type, target_id, address, request_id, details"
_EQUAL = ("actor", "actor_id", "target_type", "target_id", "request_id")


def list_events(database: Database, filters: dict, limit: int, cursor: str) -> dict:
    """One page, newest first: `{events: [...], next_cursor: str | None}`.

    Args:
        filters: any of `actor`, `actor_id`, `action`, `target_type`, `target_id`, `request_id`, `since`, `until`.
        cursor: `next_cursor` of the page before, empty for the first.
    """
    conditions, values = _where(filters)
    if cursor:
        conditions, values = [*conditions, "id < %s"], [*values, cursor]
    rows = database.read(lambda db: _select(db, conditions, values, "DESC", limit + 1), replica=True)
    events = rows[:limit]
    return {"events": events, "next_cursor": events[-1]["id"] if len(rows) > limit else None}


def export_events(database: Database, filters: dict) -> Iterator[list[dict]]:
    """Every event that fits and exists now, oldest first, in lists of up to `EXPORT_BATCH`.

    Each list is a short transaction of its own: rows are never changed, so no snapshot has to be held open.
    """
    conditions, values = _where(filters)
    newest = database.read(lambda db: _select(db, conditions, values, "DESC", 1))
    if not newest:
        return
    bounded, end = [*conditions, "id > %s", "id <= %s"], newest[0]["id"]
    last = ""
    while last != end:
        reached = [*values, last, end]
        select = partial(_select, conditions=bounded, values=reached, order="ASC", limit=EXPORT_BATCH)
        batch = database.read(select, replica=True)
        if not batch:
            return
        yield batch
        last = batch[-1]["id"]


def count_events(database: Database, filters: dict) -> int:
    """How many events fit now."""
    conditions, values = _where(filters)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f"SELECT COUNT(*) AS total FROM audit_events{where}"
    return database.read(lambda db: fetch(db, sql, *values))[0]["total"]


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
