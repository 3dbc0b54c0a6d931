"""Reads from a replica that has caught up; in every other case the caller asks the primary."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from pydal import DAL

from backend.database import errors
from backend.database.engine import build_dal
from backend.database.pool import Pool
from backend.database_settings import DatabaseSettings

AWAY_SECONDS = 5.0
CATCH_UP_SECONDS = 0.05
CONNECT_SECONDS = 1
_POLL_SECONDS = 0.005
Result = TypeVar("Result")


class ReplicaUnfit(Exception):
    """The replica is away, lags, or is none: ask the primary."""


class Replica:
    """The read-only server that `DB_REPLICA_HOST` names.

    A read takes it only when it has applied what the primary had committed when the read began. So everybody
    reads their own writes, through whichever process they made them.

    Attributes:
        outcomes: number of reads by what became of them: `replica`, `lagging`, `away`.
    """

    def __init__(self, settings: DatabaseSettings, statement_timeout: int):
        address = {"db_host": settings.db_replica_host, "db_port": settings.db_replica_port}
        dal = build_dal(
            settings.model_copy(update=address), statement_timeout, writable=False, connect_timeout=CONNECT_SECONDS
        )
        self.pool = Pool(dal, settings.db_pool_size)
        self.outcomes: Counter[str] = Counter()
        self._away_until = 0.0

    @property
    def usable(self) -> bool:
        """False for a while after it was away, so that not every request waits for it."""
        if time.monotonic() >= self._away_until:
            return True
        self.outcomes["away"] += 1
        return False

    def read(self, work: Callable[[DAL], Result], reached: str) -> Result:
        """Run `work(dal)` on the replica.

        Args:
            reached: `position` of the primary.

        Raises:
            ReplicaUnfit: it did not answer, or has not got that far.
        """
        try:
            with self.pool.connection(write=False) as db:
                self._catch_up(db, reached)
                result = work(db)
        except ReplicaUnfit:
            self.outcomes["lagging"] += 1
            raise
        except Exception as error:
            if not errors.unavailable(error) and not isinstance(error, errors.DatabaseUnavailable):
                raise
            self.outcomes["away"] += 1
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise ReplicaUnfit(errors.summary(error)) from error
        self.outcomes["replica"] += 1
        return result

    @staticmethod
    def _catch_up(db: DAL, reached: str) -> None:
        end = time.monotonic() + CATCH_UP_SECONDS
        while not _has_reached(db, reached):
            if time.monotonic() > end:
                raise ReplicaUnfit(f"not at {reached} yet")
            time.sleep(_POLL_SECONDS)


def position(db: DAL) -> str:
    """How far the primary's log has got: an LSN, or a set of GTIDs; empty where it keeps no log."""
    if db._dbname == "pooledpostgres":
        return db.executesql("SELECT pg_current_wal_lsn()::text")[0][0]
    variable = "gtid_binlog_pos" if _is_mariadb(db) else "gtid_executed"
    return db.executesql(f"SELECT @@GLOBAL.{variable}")[0][0].replace("\n", "")


def _has_reached(db: DAL, reached: str) -> bool:
    if not reached:
        raise ReplicaUnfit("the primary keeps no binary log with GTIDs")
    if db._dbname == "pooledpostgres":
        # NULL on a server that replays nothing: that is no replica of the primary.
        return bool(db.executesql("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", placeholders=(reached,))[0][0])
    call = "MASTER_GTID_WAIT" if _is_mariadb(db) else "WAIT_FOR_EXECUTED_GTID_SET"
    return db.executesql(f"SELECT {call}(%s, {CATCH_UP_SECONDS})", placeholders=(reached,))[0][0] == 0


def _is_mariadb(db: DAL) -> bool:
    return "MariaDB" in db._adapter.connection.get_server_info()
