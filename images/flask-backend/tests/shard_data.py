"""A platform with shards for the tests: events of many tenants, and a look at where each row is."""

from __future__ import annotations

import json

from flask import Flask

from backend.audit.service import deletes_allowed, new_id
from backend.config import Settings
from backend.context import Services
from backend.database.session import Database, fetch, placeholders
from backend.shards import membership
from backend.shards.mover import Mover
from backend.shards.tables import TABLES

OLD = "2020-02-29 12:00:00"
_AUDIT = "(id, occurred_at, tenant, actor, credential, action, target_type, target_id, address, request_id, details)"
_EVENTS = "(kind, audience, payload, dispatched, created_at, tenant)"


def quiet(*_) -> None:
    pass


def clean(db, *more: str) -> None:
    """Delete all events and marks of a database, and what is in more tables."""
    with deletes_allowed(db):
        for name in ("audit_events", "events", "shard_arrivals", "shard_identity", *more):
            db.executesql(f"DELETE FROM {name}")


def empty(app: Flask) -> None:
    """Take every shard out of use and delete all events, whatever a test left."""
    services = app.extensions["backend"]
    for member in services.database.read(lambda db: fetch(db, "SELECT name FROM shards")):
        services.shards.databases[member["name"]].write(clean)
    services.database.write(lambda db: clean(db, "shards", "leases"))
    services.shards._checked.clear()


def fill(services: Services, tenants: int, each: int, text: str = "é😀") -> set[str]:
    """Audit events and old, dispatched events of the tenants `t0`, `t1`, …; returns the ids of the former."""
    rows = [(new_id(), f"t{number % tenants}") for number in range(tenants * each)]

    def insert(db) -> None:
        for start in range(0, len(rows), 200):
            part = rows[start : start + 200]
            marks = ", ".join(["(%s, %s, %s, 'x', '', 'shards.test', '', '', '', '', %s)"] * len(part))
            values = [value for key, tenant in part for value in (key, OLD, tenant, json.dumps({"text": text}))]
            db.executesql(placeholders(db, f"INSERT INTO audit_events {_AUDIT} VALUES {marks}"), placeholders=values)
            marks = ", ".join([f"('shards.test', 'all', '{{}}', 1, '{OLD}', %s)"] * len(part))
            sql = placeholders(db, f"INSERT INTO events {_EVENTS} VALUES {marks}")
            db.executesql(sql, placeholders=[tenant for _, tenant in part])

    services.database.write(insert)
    return {key for key, _ in rows}


def add(services: Services, settings: Settings, *names: str) -> int:
    """Put shards to use and return how many rows moved."""
    for name in names:
        membership.add(services.shards, settings, name, 30, quiet)
    return Mover(services.shards).run()


def places(services: Services, table: str = "audit_events") -> dict[str, dict]:
    """Tenant of each row by id, by the name of the database; of all that SHARDS names."""

    def read(database: Database) -> dict:
        rows = database.read(lambda db: fetch(db, f"SELECT id, tenant FROM {table}"))
        assert len({row["id"] for row in rows}) == len(rows)
        return {row["id"]: row["tenant"] for row in rows}

    used = [member.name for member in services.shards.layout().members]
    return {"": read(services.database)} | {name: read(services.shards.databases[name]) for name in used}


def arrivals(services: Services) -> int:
    """Rows that may be at their source, too, in all databases."""
    used = [services.shards.databases[member.name] for member in services.shards.layout().members]
    return sum(
        len(ids)
        for database in (services.database, *used)
        for table in TABLES
        for ids in database.read(table.arrivals).values()
    )
