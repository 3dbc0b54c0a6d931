"""One transaction for all writes of a request, so that they and the record of their answer commit together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from typing import TYPE_CHECKING, Self, TypeVar

from pydal import DAL

from backend.database import errors

if TYPE_CHECKING:
    from backend.database.session import Database

Result = TypeVar("Result")
CURRENT: ContextVar[Unit | None] = ContextVar("unit", default=None)


class Unit:
    """What `Database.unit` gives. The first write begins the transaction; later reads and writes join it.

    Each write still is undone alone when it fails, as it would be in a transaction of its own.
    """

    def __init__(self, database: Database, first: Callable[[DAL], None]):
        self._database, self._first = database, first
        self._stack = ExitStack()
        self._db: DAL | None = None
        self.callbacks: list[Callable[[], None]] = []
        self.committed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)

    @property
    def begun(self) -> bool:
        return self._db is not None

    def belongs_to(self, database: Database) -> bool:
        return database is self._database

    def join(self, work: Callable[[DAL], Result]) -> Result:
        """Run `work(dal)` within the transaction."""
        db = self._begin()
        db.executesql("SAVEPOINT unit_step")
        try:
            result = work(db)
        except Exception as error:
            if not errors.unavailable(error):
                db.executesql("ROLLBACK TO SAVEPOINT unit_step")
            raise
        db.executesql("RELEASE SAVEPOINT unit_step")
        return result

    def commit(self, last: Callable[[DAL], None]) -> None:
        """Run `last(dal)` and commit. Raises what `Database.once` raises."""
        last(self._begin())
        self._database.commit()
        self.committed = True

    def _begin(self) -> DAL:
        if self._db is None:
            db = self._stack.enter_context(self._database.pool.connection(write=True))
            self._first(db)
            self._db = db
        return self._db
