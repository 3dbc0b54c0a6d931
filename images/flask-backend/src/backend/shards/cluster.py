"""The primary and its shards as one: reads that miss no row and see none twice while rows move."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from pydal import DAL

from backend.config import Settings
from backend.database import errors
from backend.database.migrate import current_version
from backend.database.migrations import required_version
from backend.database.session import Database, fetch
from backend.shards import registry
from backend.shards.registry import PRIMARY, Layout

_LAYOUT_TRIES = 5
_LOOK_SECONDS = 10.0
Result = TypeVar("Result")


class ShardUnavailable(errors.DatabaseUnavailable):
    """A shard did not answer, or cannot be used.

    Attributes:
        shard: its name.
    """

    def __init__(self, shard: str, reason: str):
        super().__init__(f"shard {shard}: {reason}")
        self.shard = shard


class Shards:
    """The databases that may hold events. Make it after fork.

    Args:
        primary: where every event is born.
        settings: whose `shards` can be reached.
        options: of each shard's `Database`.
    """

    def __init__(self, primary: Database, settings: Settings, **options):
        self.primary = primary
        self.databases = {name: Database(own, **options) for name, own in settings.shards.items()}
        self._checked: dict[str, str] = {}
        self._lock = threading.Lock()
        self._alone_until = 0.0

    def layout(self) -> Layout:
        """The layout in force. Without SHARDS the primary is asked only now and then whether that can be right.

        Raises:
            DatabaseUnavailable: of the primary.
        """
        if not self.databases and time.monotonic() < self._alone_until:
            return Layout()
        layout = self.primary.read(registry.read)
        if not layout.members:
            self._alone_until = time.monotonic() + _LOOK_SECONDS
        return layout

    def database(self, name: str, layout: Layout) -> Database:
        """The database of a source. Raises `ShardUnavailable`."""
        if name == PRIMARY:
            return self.primary
        if name not in self.databases:
            raise ShardUnavailable(name, "is in use, but SHARDS does not name it")
        identity = next(member.identity for member in layout.members if member.name == name)
        if self._checked.get(name) != identity:
            self.check(name, identity)
            with self._lock:
                self._checked[name] = identity
        return self.databases[name]

    def verify(self, layout: Layout) -> None:
        """Ask every shard in use anew whether it is the one that it was. Raises `ShardUnavailable`."""
        with self._lock:
            self._checked.clear()
        for member in layout.members:
            self.database(member.name, layout)

    def check(self, name: str, identity: str) -> None:
        """Raise `ShardUnavailable` unless the shard answers, has the right schema and is the one that it was."""

        def work(db: DAL) -> tuple[int, str]:
            version = current_version(db)
            return version, own_identity(db) if version >= required_version() else ""

        version, found = self.ask(name, self.databases[name], lambda database: database.read(work))
        if version < required_version():
            fix = f"schema version {version}, this release needs {required_version()}; run: backend migrate"
            raise ShardUnavailable(name, fix)
        if found != identity:
            raise ShardUnavailable(name, "its database is another one than was added; mend SHARD_*_DB_*")

    @staticmethod
    def ask(name: str, database: Database, read: Callable[[Database], Result]) -> Result:
        """`read(database)`. Raises `ShardUnavailable`; of the primary `DatabaseUnavailable`."""
        try:
            return read(database)
        except ShardUnavailable:
            raise
        except errors.DatabaseUnavailable as error:
            if name == PRIMARY:
                raise
            raise ShardUnavailable(name, str(error)) from error

    def gather(
        self, read: Callable[[Database], Result], tenant: str | None = None, backwards: bool = False
    ) -> list[Result]:
        """What `read` returns for every database that may hold rows, in the order in which rows move.

        A row that moves meanwhile is met at least once, so drop repetitions by id.

        Args:
            read: called again when the layout changed meanwhile.
            tenant: only the databases that may hold this tenant's rows.
            backwards: ask in the opposite order. A row that moves meanwhile is then missed rather than met twice.

        Raises:
            DatabaseUnavailable: one of them did not answer (`ShardUnavailable`).
        """
        for _ in range(_LAYOUT_TRIES):
            layout = self.layout()
            sources = layout.sources(tenant)
            found = [
                self.ask(name, self.database(name, layout), read)
                for name in (reversed(sources) if backwards else sources)
            ]
            # A row may have gone to, or come from, a shard that was not asked.
            if self.layout() == layout:
                return found
        raise errors.DatabaseUnavailable("shards were added or taken away all the time")

    def states(self, layout: Layout) -> dict[str, str]:
        """What is wrong with each shard in use, by name; empty for one that is well. Asks each anew."""
        return {member.name: self._state(member.name, member.identity) for member in layout.members}

    def _state(self, name: str, identity: str) -> str:
        try:
            if name not in self.databases:
                raise ShardUnavailable(name, "is in use, but SHARDS does not name it")
            self.check(name, identity)
        except errors.DatabaseUnavailable as error:
            return str(error)
        return ""


def own_identity(db: DAL) -> str:
    """What a shard's database says of itself; empty when it is none."""
    rows = fetch(db, "SELECT id FROM shard_identity")
    return rows[0]["id"] if rows else ""
