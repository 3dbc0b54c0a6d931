"""The tables whose rows live on shards. A row never changes once it may move."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydal import DAL

from backend.audit.service import deletes_allowed
from backend.database.session import fetch, now, placeholders

# Live streams look back half a minute, and only at the primary.
_EVENTS_REST = timedelta(minutes=2)


@dataclass(frozen=True)
class ShardedTable:
    """One table, with a column `tenant` and the primary key `id`.

    Attributes:
        columns: all of them.
        resting: condition of the rows that may move, with `%s` for the moment from which on they may not.
    """

    name: str
    columns: tuple[str, ...]
    resting: str = ""

    def condition(self) -> tuple[str, list]:
        """The condition `resting`, with its values."""
        return (self.resting, [(now() - _EVENTS_REST).isoformat(" ")]) if self.resting else ("1 = 1", [])

    def census(self, db: DAL) -> dict[str, int]:
        """Number of rows that may move, by tenant."""
        condition, values = self.condition()
        sql = f"SELECT tenant, COUNT(*) AS n FROM {self.name} WHERE {condition} GROUP BY tenant"
        return {row["tenant"]: row["n"] for row in fetch(db, sql, *values)}

    def batch(self, db: DAL, tenants: list[str], limit: int) -> list[dict]:
        """The oldest rows of some tenants that may move."""
        condition, values = self.condition()
        sql = f"SELECT {', '.join(self.columns)} FROM {self.name} WHERE tenant IN ({_marks(tenants)}) AND {condition}"
        return fetch(db, sql + " ORDER BY id LIMIT %s", *tenants, *values, limit)

    def store(self, db: DAL, rows: list[dict], source: str) -> None:
        """Take rows in, whether or not they are here already, and note that they may be at their source, too."""
        ids = [row["id"] for row in rows]
        self.delete(db, ids)
        self.confirm(db, ids)
        _insert(db, self.name, self.columns, [[_plain(row[name]) for name in self.columns] for row in rows])
        noted = [[self.name, str(identity), source] for identity in ids]
        _insert(db, "shard_arrivals", ("table_name", "row_id", "source"), noted)

    def arrivals(self, db: DAL) -> dict[str, list]:
        """Ids of rows that may be at their source, too, by the name of the source."""
        found: dict[str, list] = {}
        for row in fetch(db, "SELECT row_id, source FROM shard_arrivals WHERE table_name = %s", self.name):
            found.setdefault(row["source"], []).append(row["row_id"])
        return found

    def confirm(self, db: DAL, ids: list) -> None:
        """Forget that these rows may be at their source."""
        sql = f"DELETE FROM shard_arrivals WHERE table_name = %s AND row_id IN ({_marks(ids)})"
        db.executesql(placeholders(db, sql), placeholders=[self.name, *map(str, ids)])

    def delete(self, db: DAL, ids: list) -> None:
        """Delete rows that are kept elsewhere."""
        kind = int if self is EVENTS else str
        sql = f"DELETE FROM {self.name} WHERE id IN ({_marks(ids)})"
        with deletes_allowed(db) if self is AUDIT_EVENTS else nullcontext():
            db.executesql(placeholders(db, sql), placeholders=[kind(identity) for identity in ids])


AUDIT_EVENTS = ShardedTable(
    "audit_events",
    (
        "id", "occurred_at", "tenant", "actor_id", "actor", "credential", "action", "target_type", "target_id",
        "address", "request_id", "details",
    ),
)  # fmt: skip
EVENTS = ShardedTable(
    "events",
    ("id", "tenant", "kind", "audience", "payload", "dispatched", "created_at"),
    "dispatched = 1 AND created_at < %s",
)
TABLES = (AUDIT_EVENTS, EVENTS)


def _insert(db: DAL, table: str, columns: tuple[str, ...], rows: list[list]) -> None:
    row = "(" + _marks(columns) + ")"
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * len(rows))}"
    db.executesql(placeholders(db, sql), placeholders=[value for values in rows for value in values])


def _marks(values) -> str:
    return ", ".join(["%s"] * len(values))


def _plain(value: object) -> object:
    """A value as the driver of any engine takes it."""
    return value.isoformat(" ") if isinstance(value, datetime) else value
