"""Transactions: whole ones, retried when the server undid them, never half acknowledged."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from pydal import DAL

from backend.config import Settings
from backend.database import errors
from backend.database.engine import STATEMENT_TIMEOUT_SECONDS, build_dal

TRIES = 5
Result = TypeVar("Result")


class Database:
    """The database of one process. Make it after fork.

    Args:
        settings: where the database is.
        deadline: seconds after which no further try of a transaction starts.
        on_error: called with "retried" or "unavailable" for the metrics.
    """

    def __init__(
        self,
        settings: Settings,
        deadline: float = 2.0,
        statement_timeout: int = STATEMENT_TIMEOUT_SECONDS,
        on_error: Callable[[str], None] = lambda outcome: None,
    ):
        self.engine = settings.db_type
        self._deadline = deadline
        self._on_error = on_error
        self.dal = build_dal(settings, statement_timeout)

    def read(self, work: Callable[[DAL], Result]) -> Result:
        """Run `work(dal)` in a transaction that writes nothing."""
        return self._run(work, write=False)

    def write(self, work: Callable[[DAL], Result]) -> Result:
        """Run `work(dal)` and commit; the result is returned only after the commit succeeded.

        `work` may run several times: it must touch nothing but the database.

        Raises:
            DatabaseUnavailable: nothing was acknowledged (`UnknownOutcome`: lost during COMMIT).
        """
        return self._run(work, write=True)

    def _run(self, work, write: bool):
        end = time.monotonic() + self._deadline
        for attempt in range(1, TRIES + 1):
            try:
                return self._once(work, write)
            except errors.UnknownOutcome:
                self._on_error("unavailable")
                raise
            except Exception as error:
                if not errors.unavailable(error):
                    raise
                pause = random.uniform(0.02, 0.05) * 2**attempt
                if not self._worth_a_retry(error) or attempt == TRIES or time.monotonic() + pause > end:
                    self._on_error("unavailable")
                    raise errors.DatabaseUnavailable(errors.summary(error)) from error
                self._on_error("retried")
                time.sleep(pause)

    @staticmethod
    def _worth_a_retry(error: Exception) -> bool:
        return errors.rolled_back(error) or errors.connection_lost(error)

    def _once(self, work, write: bool):
        adapter = self.dal._adapter
        healthy = False
        try:
            adapter.begin(write)
            result = work(self.dal)
            if write:
                self._commit()
            healthy = True
            return result
        except Exception as error:
            healthy = not errors.unavailable(error) and not isinstance(error, errors.UnknownOutcome)
            raise
        finally:
            adapter.release(healthy)

    def _commit(self) -> None:
        # PyDAL's close("commit") swallows a failed commit: this is the only place that commits.
        try:
            self.dal.commit()
        except Exception as error:
            if errors.connection_lost(error):
                raise errors.UnknownOutcome(errors.summary(error)) from error
            raise


def fetch(db: DAL, sql: str, *values) -> list[dict]:
    """Rows of a SELECT as dictionaries; `%s` marks a value on every engine."""
    if db._dbname == "pooledsqlite":
        sql = sql.replace("%s", "?")
    return db.executesql(sql, placeholders=values, as_dict=True)


def for_update(db: DAL) -> str:
    """The clause that locks selected rows; SQLite has none, its writers already queue at BEGIN."""
    return "" if db._dbname == "pooledsqlite" else " FOR UPDATE"


def now() -> datetime:
    """The present in UTC, whole seconds, without a zone: the form in which every engine stores times."""
    return datetime.now(UTC).replace(microsecond=0, tzinfo=None)
