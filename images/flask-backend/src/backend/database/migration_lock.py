"""The one lock that lets a single process migrate; the server frees it when its holder dies."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pymysql
from pydal import DAL

from backend.database.session import fetch

PG_LOCK_NUMBER = 7_284_119_001
# MySQL and MariaDB say differently that a row is locked.
_ROW_IS_LOCKED = {1205, 3572}


class LockTimeout(Exception):
    """Another process still migrates."""


@contextlib.contextmanager
def migration_lock(dal: DAL, engine: str, timeout: float, progress: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock; waits `timeout` seconds for it, then raises `LockTimeout`.

    SQLite needs none: every migration is a transaction that locks the whole file.
    """
    if engine == "sqlite":
        yield
        return
    lock = {"postgresql": _AdvisoryLock, "mysql": _RowLock}[engine](dal)
    with contextlib.closing(lock):
        end = time.monotonic() + timeout
        while not lock.take():
            if time.monotonic() > end:
                raise LockTimeout(f"another migration still holds the lock after {timeout:.0f} s")
            progress("another process migrates; waiting for it")
            time.sleep(1)
        yield


class _AdvisoryLock:
    """PostgreSQL: of the session that migrates."""

    def __init__(self, dal: DAL):
        self._dal = dal

    def take(self) -> bool:
        got = fetch(self._dal, f"SELECT pg_try_advisory_lock({PG_LOCK_NUMBER}) AS got")[0]["got"]
        self._dal.commit()
        return got

    def close(self) -> None:
        """Free the lock; a broken connection has freed it already."""
        with contextlib.suppress(Exception):
            self._dal.rollback()
            self._dal.executesql(f"SELECT pg_advisory_unlock({PG_LOCK_NUMBER})")
            self._dal.commit()


class _RowLock:
    """MariaDB and MySQL: a locked row, on a connection of its own because DDL commits.

    GET_LOCK would be shorter, but a Galera cluster refuses it.
    """

    def __init__(self, dal: DAL):
        self._connection = dal._adapter.connector()
        self._run("CREATE TABLE IF NOT EXISTS schema_lock (id INTEGER NOT NULL PRIMARY KEY) ENGINE=InnoDB")
        if not self._run("SELECT id FROM schema_lock"):
            self._run("INSERT IGNORE INTO schema_lock (id) VALUES (1)")
        self._connection.commit()

    def take(self) -> bool:
        try:
            self._run("SELECT id FROM schema_lock WHERE id = 1 FOR UPDATE NOWAIT")
        except pymysql.MySQLError as error:
            self._connection.rollback()
            if error.args[0] not in _ROW_IS_LOCKED:
                raise
            return False
        return True

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._connection.close()

    def _run(self, sql: str):
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()
