"""Transactions: whole ones, retried when the server undid them, never half acknowledged."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from pydal import DAL

from backend.database import errors
from backend.database.engine import STATEMENT_TIMEOUT_SECONDS, build_dal
from backend.database.pool import Pool, PoolStatistics
from backend.database.replica import Replica, ReplicaUnfit, position
from backend.database.unit import CURRENT, Unit
from backend.database_settings import DatabaseSettings
from backend.tracing import statement_span

TRIES = 5
MAX_DEADLINE_SECONDS = 60.0
Result = TypeVar("Result")


class Database:
    """The database of one process. Make it after fork.

    Args:
        settings: where the database and its replica are.
        deadline: seconds after which no further try of a transaction starts, at most 60.
        on_error: called with "retried" or "unavailable" for the metrics.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        deadline: float = 2.0,
        statement_timeout: int = STATEMENT_TIMEOUT_SECONDS,
        on_error: Callable[[str], None] = lambda outcome: None,
    ):
        self.engine = settings.db_type
        self._deadline = min(deadline, MAX_DEADLINE_SECONDS)
        self._on_error = on_error
        self.dal = build_dal(settings, statement_timeout)
        self.pool = Pool(self.dal, settings.db_pool_size)
        self.replica = Replica(settings, statement_timeout) if settings.db_replica_host else None

    def read(self, work: Callable[[DAL], Result], replica: bool = False) -> Result:
        """Run `work(dal)`, whose statements write nothing and need no common snapshot.

        Args:
            replica: the replica may answer, when it has everything that was committed before this call.
        """
        unit = self._unit()
        if unit and unit.begun:
            return unit.join(work)
        if replica and self.replica and self.replica.usable:
            try:
                return self.replica.read(work, self._run(position, write=False))
            except ReplicaUnfit:
                pass  # counted there; the primary has everything
        return self._run(work, write=False)

    def write(self, work: Callable[[DAL], Result]) -> Result:
        """Run `work(dal)` and commit; the result is returned only after the commit succeeded.

        `work` may run several times: it must touch nothing but the database. Within a `unit` the commit is the
        unit's.

        Raises:
            DatabaseUnavailable: nothing was acknowledged (`UnknownOutcome`: lost during COMMIT).
        """
        unit = self._unit()
        return unit.join(work) if unit else self._run(work, write=True)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback()` once what was written is committed: at once, or at the end of the unit."""
        unit = self._unit()
        if unit:
            unit.callbacks.append(callback)
        else:
            callback()

    @contextmanager
    def unit(self, first: Callable[[DAL], None]) -> Iterator[Unit]:
        """Let the writes within share one transaction, which `Unit.commit` commits, else it is rolled back.

        Nothing is retried: run the whole block by `retrying`.

        Args:
            first: runs in it before anything else.
        """
        unit = Unit(self, first)
        token = CURRENT.set(unit)
        try:
            with unit:
                yield unit
        finally:
            CURRENT.reset(token)
            if unit.committed:
                for callback in unit.callbacks:
                    callback()

    def once(self, work: Callable[[DAL], Result], write: bool) -> Result:
        """One try of a transaction. Raises the driver's error, or `UnknownOutcome`."""
        with self.pool.connection(write) as db:
            result = work(db)
            if write:
                self.commit()
            return result

    def retrying(self, attempt: Callable[[], Result], repeat_unknown: bool = False) -> Result:
        """Call `attempt` until it succeeds: up to 5 times, with growing random pauses, within the deadline.

        Args:
            repeat_unknown: also after a connection was lost during COMMIT; `attempt` has to find out itself
                what became of it.

        Raises:
            DatabaseUnavailable: it never succeeded.
        """
        end = time.monotonic() + self._deadline
        for number in range(1, TRIES + 1):
            try:
                return attempt()
            except Exception as error:
                if not errors.unavailable(error) and not isinstance(error, errors.DatabaseUnavailable):
                    raise
                pause = random.uniform(0.02, 0.05) * 2**number
                again = errors.repeatable(error) or (repeat_unknown and isinstance(error, errors.UnknownOutcome))
                if not again or number == TRIES or time.monotonic() + pause > end:
                    self._on_error("unavailable")
                    if isinstance(error, errors.DatabaseUnavailable):
                        raise
                    raise errors.DatabaseUnavailable(errors.summary(error)) from error
                self._on_error("retried")
                time.sleep(pause)
        raise AssertionError("unreachable")

    def commit(self) -> None:
        """Commit this thread's transaction."""
        # PyDAL's close("commit") swallows a failed commit: this is the only place that commits.
        try:
            with statement_span(self.dal._adapter.system, "COMMIT"):
                self.dal.commit()
        except Exception as error:
            if errors.connection_lost(error):
                raise errors.UnknownOutcome(errors.summary(error)) from error
            raise

    def pools(self) -> dict[str, PoolStatistics]:
        """Statistics by the server's role, `primary` and, where there is one, `replica`."""
        found = {"primary": self.pool.statistics()}
        if self.replica:
            found["replica"] = self.replica.pool.statistics()
        return found

    def _unit(self) -> Unit | None:
        unit = CURRENT.get()
        return unit if unit and unit.belongs_to(self) else None

    def _run(self, work: Callable[[DAL], Result], write: bool) -> Result:
        return self.retrying(lambda: self.once(work, write))


def fetch(db: DAL, sql: str, *values) -> list[dict]:
    """Rows of a SELECT as dictionaries; `%s` marks a value on every engine."""
    return db.executesql(placeholders(db, sql), placeholders=values, as_dict=True)


def placeholders(db: DAL, sql: str) -> str:
    """SQL whose values are marked by `%s`, marked as the engine's driver wants it."""
    return sql.replace("%s", "?") if db._dbname == "pooledsqlite" else sql


def for_update(db: DAL) -> str:
    """The clause that locks selected rows; SQLite has none, its writers already queue at BEGIN."""
    return "" if db._dbname == "pooledsqlite" else " FOR UPDATE"


def now() -> datetime:
    """The present in UTC, whole seconds, without a zone: the form in which every engine stores times."""
    return datetime.now(UTC).replace(microsecond=0, tzinfo=None)
