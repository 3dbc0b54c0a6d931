"""Waits for the database, takes the one lock and applies what is missing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from pydal import DAL

from backend.config import Settings
from backend.database import errors
from backend.database.engine import build_dal
from backend.database.migrations import DIALECTS, Migration, migrations
from backend.database.session import fetch, now

LOCK_NUMBER = 7_284_119_001
LOCK_NAME = "triptych-migrations"
_VERSION_TABLE = (
    "CREATE TABLE IF NOT EXISTS schema_version (version {integer} NOT NULL PRIMARY KEY,"
    " name VARCHAR(100) NOT NULL, applied_at {datetime} NOT NULL) {table_options}"
)


class MigrationError(Exception):
    """The schema could not be brought up to date; one line tells why."""


def migrate(settings: Settings, timeout: float, progress: Callable[[str], None]) -> int:
    """Bring the schema up to date and return its version. Safe to run in several processes at once.

    Args:
        timeout: seconds to wait for the database, and again for another migration to end.
        progress: called with a line for each step.

    Raises:
        MigrationError: the database did not come, the lock was not freed, or a statement failed.
    """
    dal = build_dal(settings, statement_timeout=0)
    engine = settings.db_type
    try:
        _wait(dal, timeout, progress)
        with _lock(dal, engine, timeout, progress):
            return _apply_all(dal, engine, progress)
    except Exception as error:
        if isinstance(error, MigrationError):
            raise
        raise MigrationError(errors.summary(error)) from error
    finally:
        dal._adapter.release(healthy=False)


def current_version(db: DAL) -> int:
    """Version of the schema; 0 on an empty database. Raises the driver's error when it is away."""
    try:
        return fetch(db, "SELECT COALESCE(MAX(version), 0) AS version FROM schema_version")[0]["version"]
    except Exception as error:
        if errors.missing_table(error):
            return 0
        raise


def _wait(dal: DAL, timeout: float, progress: Callable[[str], None]) -> None:
    start = time.monotonic()
    while True:
        try:
            fetch(dal, "SELECT 1 AS one")
            dal.rollback()
            return
        except Exception as error:  # noqa: BLE001 (each driver has its own; the last one is reported)
            dal._adapter.release(healthy=False)
            waited = time.monotonic() - start
            if waited >= timeout:
                text = f"no database after {waited:.0f} s; last answer: {errors.summary(error)}"
                raise MigrationError(text) from None
            progress(f"waiting for the database ({waited:.0f} of {timeout:.0f} s): {errors.summary(error)}")
            time.sleep(min(2.0, max(0.1, timeout - waited)))


@contextlib.contextmanager
def _lock(dal: DAL, engine: str, timeout: float, progress: Callable[[str], None]) -> Iterator[None]:
    """Hold the engine's advisory lock; SQLite needs none, `_apply` locks the whole file."""
    if engine == "sqlite":
        yield
        return
    take, free = {
        "postgresql": (f"SELECT pg_try_advisory_lock({LOCK_NUMBER}) AS got",
                       f"SELECT pg_advisory_unlock({LOCK_NUMBER})"),
        "mysql": (f"SELECT GET_LOCK('{LOCK_NAME}', 0) AS got", f"SELECT RELEASE_LOCK('{LOCK_NAME}')"),
    }[engine]  # fmt: skip
    end = time.monotonic() + timeout
    while not fetch(dal, take)[0]["got"]:
        dal.rollback()
        if time.monotonic() > end:
            raise MigrationError(f"another migration still holds the lock after {timeout:.0f} s")
        progress("another process migrates; waiting for it")
        time.sleep(1)
    dal.commit()
    yield
    dal.executesql(free)
    dal.commit()


def _apply_all(dal: DAL, engine: str, progress: Callable[[str], None]) -> int:
    _begin(dal)
    dal.executesql(_VERSION_TABLE.format(**DIALECTS[engine]))
    dal.commit()
    applied = 0
    for migration in migrations(engine):
        applied += _apply(dal, migration, progress)
    _begin(dal)
    version = current_version(dal)
    dal.rollback()
    progress(f"schema is at version {version} ({applied} migrations applied)")
    return version


def _apply(dal: DAL, migration: Migration, progress: Callable[[str], None]) -> bool:
    _begin(dal)
    if current_version(dal) >= migration.number:
        dal.rollback()
        return False
    progress(f"applying migration {migration.number:04d} {migration.name}")
    for statement in migration.statements:
        dal.executesql(statement)
    sql = "INSERT INTO schema_version (version, name, applied_at) VALUES (%s, %s, %s)"
    if dal._dbname == "pooledsqlite":
        sql = sql.replace("%s", "?")
    dal.executesql(sql, placeholders=(migration.number, migration.name, now().isoformat(" ")))
    dal.commit()
    return True


def _begin(dal: DAL) -> None:
    dal._adapter.begin(write=True)
