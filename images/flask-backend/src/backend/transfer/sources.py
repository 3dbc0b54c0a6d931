"""The databases that an export reads, as they were at one moment: the primary, and its shards if it has any."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from pydal import DAL

from backend.config import Settings
from backend.database import catalog
from backend.database.engine import build_dal
from backend.database.errors import DatabaseUnavailable
from backend.database.migrate import current_version, registered_names
from backend.database.session import Database
from backend.database_settings import DatabaseSettings
from backend.jobs import leases
from backend.shards.cluster import Shards
from backend.shards.mover import LEASE, LEASE_SECONDS
from backend.shards.registry import PRIMARY
from backend.shards.tables import TABLES
from backend.transfer.dump import TransferError
from backend.transfer.rows import select_rows, snapshot

_PATIENCE_SECONDS = 60
Progress = Callable[[str], None]


class Sources:
    """Open snapshots.

    Attributes:
        primary: which has every table.
    """

    def __init__(self, engine: str, snapshots: dict[str, DAL]):
        self._engine, self._snapshots = engine, snapshots
        self.primary = snapshots[PRIMARY]

    def tables(self) -> list[catalog.Table]:
        return catalog.tables(self.primary, self._engine)

    def rows(self, table: catalog.Table) -> Iterator[list]:
        """Every row of a table once, in the order of its key, wherever it is."""
        columns = [column.name for column in table.columns]
        if table.name not in {sharded.name for sharded in TABLES}:
            rows = select_rows(self.primary, table)
            # The lease that keeps rows in place while the snapshots are taken is no data.
            yield from (row for row in rows if table.name != "leases" or row[columns.index("name")] != LEASE)
            return
        place = columns.index("id")
        last = None
        parts = [select_rows(db, table) for db in self._snapshots.values()]
        for row in heapq.merge(*parts, key=lambda row: row[place]):
            # A row on its way between two databases is in both.
            if row[place] != last:
                last = row[place]
                yield row


@contextmanager
def open_sources(settings: Settings, progress: Progress) -> Iterator[Sources]:
    """Snapshots of all databases, from a moment in which no row moved between them.

    Raises:
        TransferError: a shard does not answer, or rows move for a long time.
        Exception: the driver's, of the primary.
    """
    with ExitStack() as stack:
        primary = stack.enter_context(_snapshot(settings))
        if not registered_names(primary):
            yield Sources(settings.db_type, {PRIMARY: primary})
            return
        primary.rollback()
        database = Database(settings, deadline=30)
        shards = Shards(database, settings, deadline=30)
        try:
            with _no_moves(database, progress):
                found = {PRIMARY: stack.enter_context(_snapshot(settings))}
                for name in shards.layout().sources():
                    if name != PRIMARY:
                        shards.database(name, shards.layout())
                        found[name] = stack.enter_context(_snapshot(settings.shards[name]))
        except DatabaseUnavailable as error:
            raise TransferError(str(error)) from None
        yield Sources(settings.db_type, found)


@contextmanager
def _snapshot(settings: DatabaseSettings) -> Iterator[DAL]:
    dal = build_dal(settings, statement_timeout=0)
    try:
        with snapshot(dal, settings.db_type) as db:
            # PostgreSQL and SQLite take the moment of the first query.
            current_version(db)
            yield db
    finally:
        dal._adapter.release(healthy=False)


@contextmanager
def _no_moves(database: Database, progress: Progress) -> Iterator[None]:
    holder, end = leases.holder_name(), time.monotonic() + _PATIENCE_SECONDS
    while not leases.acquire(database, LEASE, holder, LEASE_SECONDS):
        if time.monotonic() > end:
            raise TransferError(f"rows still move between shards after {_PATIENCE_SECONDS} s; try again later")
        progress("rows move between shards; waiting for the end")
        time.sleep(1)
    try:
        yield
    finally:
        leases.release(database, LEASE, holder)
