"""Puts shards to use and takes them out again; every change is an event of the audit log."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from pydal import DAL

from backend.audit.service import record
from backend.config import Settings
from backend.database import catalog, errors
from backend.database.migrate import MigrationError, migrate, registered_names
from backend.database.session import Database, fetch, placeholders
from backend.database_settings import DatabaseSettings
from backend.shards import registry
from backend.shards.cluster import Shards, own_identity
from backend.shards.registry import ACTIVE, DRAINING, Layout, Member
from backend.shards.tables import TABLES

Progress = Callable[[str], None]


class ShardError(Exception):
    """The command cannot do that; one line tells why and what to do."""


def considered(layout: Layout, name: str, state: str) -> Layout:
    """The layout as it would be with the shard in this state. Raises `ShardError` when it cannot be so."""
    present = find(layout, name)
    if state == ACTIVE:
        if present:
            raise ShardError(f"{name} is in use already ({present.state}); see: backend shards list")
        place = max((member.place for member in layout.members), default=0) + 1
        return Layout((*_unsettled(layout.members), Member(name, place, ACTIVE, 0, "")))
    if present is None:
        raise ShardError(f"{name} is not in use; see: backend shards list")
    drained = Member(name, present.place, DRAINING, 0, present.identity)
    return Layout(tuple(drained if member.name == name else member for member in _unsettled(layout.members)))


def add(shards: Shards, settings: Settings, name: str, timeout: float, progress: Progress, take: bool = False) -> None:
    """Make the tables of a shard and put it to use; move nothing yet.

    Args:
        timeout: seconds to wait for another migration of its database.
        take: its empty database may bear the mark of a shard that is not in use here.

    Raises:
        ShardError: SHARDS does not name it, it is in use, or its database belongs to something else.
        DatabaseUnavailable: the primary or the shard went away.
    """
    layout = shards.layout()
    if name not in settings.shards:
        known = ", ".join(sorted(settings.shards)) or "none"
        raise ShardError(
            f"SHARDS does not name {name} (it names: {known}); set SHARDS and SHARD_{_variable(name)}_DB_*"
        )
    considered(layout, name, ACTIVE)
    database = shards.databases[name]
    _migrate(settings.shards[name], database, name, timeout, progress)
    identity = database.write(lambda db: _claim(db, name, layout, take))

    def work(db: DAL) -> None:
        considered(registry.read(db), name, ACTIVE)
        registry.add(db, name, identity)
        record(db, "shards.add", "shard", name)

    try:
        shards.primary.write(work)
    except Exception as error:
        if not errors.duplicate_key(error):
            raise
        raise ShardError(f"another process added {name}") from None


def _migrate(settings: DatabaseSettings, database: Database, name: str, timeout: float, progress: Progress) -> None:
    """Make the tables of a shard in an empty database, or in one that was a shard."""
    # What is there is looked at before anything is made.
    try:
        found = {table.name for table in database.read(lambda db: catalog.tables(db, settings.db_type))}
    except ValueError:  # columns of types that this program never makes
        found = {"tables of another program"}
    others = sorted(found - {table.name for table in TABLES})
    if others:
        text = f"its database {settings.address} holds {', '.join(others[:3])}"
        raise ShardError(f"shard {name}: {text}: give it an empty database of its own")
    try:
        migrate(settings, timeout, progress, shard=True)
    except MigrationError as error:
        raise ShardError(f"shard {name}: {error}") from None


def migrate_shards(settings: Settings, timeout: float, progress: Progress, target: int | None) -> None:
    """Bring every shard in use to a version of the schema; those that SHARDS only names are left alone.

    Raises:
        MigrationError: one could not be; the text names the first such shard, the others were still seen to.
    """
    names = Database(settings, deadline=timeout).read(registered_names) if settings.shards else []
    failures = []
    for name in names:
        try:
            if name not in settings.shards:
                raise MigrationError("is in use, but SHARDS does not name it")
            migrate(
                settings.shards[name], timeout, lambda line, name=name: progress(f"shard {name}: {line}"), target, True
            )
        except MigrationError as error:
            failures.append(f"shard {name}: {error}")
    if failures:
        raise MigrationError(failures[0])


def drain(shards: Shards, name: str) -> None:
    """Let a shard take nothing and give its rows away; move nothing yet. Raises `ShardError`."""

    def work(db: DAL) -> None:
        layout = registry.read(db)
        considered(layout, name, DRAINING)
        if find(layout, name).state == ACTIVE:
            registry.drain(db, name)
            record(db, "shards.drain", "shard", name)

    shards.primary.write(work)


def remove(shards: Shards, name: str, lost: bool) -> None:
    """Forget a shard.

    Args:
        lost: its database is gone for good, with the events in it.

    Raises:
        ShardError: it is not in use, or holds rows.
    """
    layout = shards.layout()
    member = find(layout, name)
    if member is None:
        raise ShardError(f"{name} is not in use; see: backend shards list")
    if not lost:
        if member.state != DRAINING:
            raise ShardError(f"{name} is still active; first run: backend shards drain {name}")
        database = shards.database(name, layout)
        left = shards.ask(name, database, lambda own: own.read(row_counts))
        if not member.settled or any(left.values()):
            raise ShardError(f"{name} still gives rows away; first run: backend shards rebalance")

    def work(db: DAL) -> None:
        if registry.read(db) != layout:
            raise ShardError("the shards changed meanwhile; try again")
        registry.remove(db, name)
        record(db, "shards.remove", "shard", name, {"lost": lost})

    shards.primary.write(work)
    if not lost:
        database.write(lambda db: db.executesql("DELETE FROM shard_identity"))


def row_counts(db: DAL) -> dict[str, int]:
    """Number of rows in each table of events."""
    return {table.name: fetch(db, f"SELECT COUNT(*) AS n FROM {table.name}")[0]["n"] for table in TABLES}


def find(layout: Layout, name: str) -> Member | None:
    """The shard of this name that is in use."""
    return next((member for member in layout.members if member.name == name), None)


def _unsettled(members: tuple[Member, ...]) -> tuple[Member, ...]:
    return tuple(Member(member.name, member.place, member.state, 0, member.identity) for member in members)


def _claim(db: DAL, name: str, layout: Layout, take: bool) -> str:
    """Mark a shard's database with a new identity, and return it."""
    mark = own_identity(db)
    other = next((member.name for member in layout.members if member.identity == mark), None)
    if other:
        raise ShardError(f"shard {name}: its database is that of the shard {other}; mend SHARD_{_variable(name)}_DB_*")
    if any(row_counts(db).values()):
        raise ShardError(f"shard {name}: its database holds events already: give it an empty one")
    if mark and not take:
        text = "its database is empty, but marked as a shard, of another platform or of an addition that was killed"
        raise ShardError(f"shard {name}: {text}: if nothing else uses it, add --take")
    identity = uuid.uuid4().hex
    db.executesql("DELETE FROM shard_identity")
    db.executesql(placeholders(db, "INSERT INTO shard_identity (id) VALUES (%s)"), placeholders=(identity,))
    return identity


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
