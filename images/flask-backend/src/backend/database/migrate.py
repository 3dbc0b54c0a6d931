"""Waits for the database, takes the one lock, and brings the schema to the version that is asked for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from pydal import DAL

from backend.database import ddl, errors
from backend.database.engine import build_dal
from backend.database.migration_lock import LockTimeout, migration_lock
from backend.database.migrations import SHARDS_VERSION, Migration, migrations, shard_migrations
from backend.database.session import fetch, now, placeholders
from backend.database_settings import DatabaseSettings

Progress = Callable[[str], None]
_VERSION_TABLE = (
    "CREATE TABLE IF NOT EXISTS schema_version (version {integer} NOT NULL PRIMARY KEY,"
    " name VARCHAR(100) NOT NULL, applied_at {datetime} NOT NULL) {table_options}"
)


class MigrationError(Exception):
    """The schema could not be brought to the wanted version; one line tells why."""


def migrate(
    settings: DatabaseSettings,
    timeout: float,
    progress: Progress,
    target: int | None = None,
    shard: bool = False,
) -> int:
    """Bring the schema to a version and return it. Safe to run in several processes at once.

    Args:
        shard: make the tables of a shard only.
        timeout: seconds to wait for the database, and again for another migration to end.
        progress: called with a line for each step.
        target: the version; default: the newest one, and what a newer release added stays.

    Raises:
        MigrationError: the database did not come, the lock was not freed, the target is unknown, or a
            statement failed.
    """
    steps = shard_migrations(settings.db_type) if shard else migrations(settings.db_type)
    with _locked(settings, timeout, progress) as dal:
        if target is not None and not shard:
            _refuse_shards(dal, target)
        return _move(dal, steps, target, progress)


def step_down(settings: DatabaseSettings, timeout: float, progress: Progress) -> int:
    """Take the newest migration back and return the version that is left. Raises as `migrate` does."""
    with _locked(settings, timeout, progress) as dal:
        version = current_version(dal)
        dal.rollback()
        if version == 0:
            raise MigrationError("the database has no schema: there is nothing to take back")
        _refuse_shards(dal, version - 1)
        return _move(dal, migrations(settings.db_type), version - 1, progress)


def current_version(db: DAL) -> int:
    """Version of the schema; 0 on an empty database. Raises the driver's error when it is away."""
    try:
        return fetch(db, "SELECT COALESCE(MAX(version), 0) AS version FROM schema_version")[0]["version"]
    except Exception as error:
        if errors.missing_table(error):
            return 0
        raise


def registered_names(db: DAL) -> list[str]:
    """Names of the shards in use; none on a schema that knows no shards."""
    if current_version(db) < SHARDS_VERSION:
        return []
    return [row["name"] for row in fetch(db, "SELECT name FROM shards ORDER BY place")]


@contextlib.contextmanager
def _locked(settings: DatabaseSettings, timeout: float, progress: Progress) -> Iterator[DAL]:
    dal = build_dal(settings, statement_timeout=0)
    try:
        _wait(dal, timeout, progress)
        with migration_lock(dal, settings.db_type, timeout, progress):
            _begin(dal)
            dal.executesql(_VERSION_TABLE.format(**ddl.DIALECTS[settings.db_type]))
            dal.commit()
            yield dal
    except MigrationError:
        raise
    except LockTimeout as error:
        raise MigrationError(str(error)) from None
    except Exception as error:
        raise MigrationError(errors.summary(error)) from error
    finally:
        dal._adapter.release(healthy=False)


def _wait(dal: DAL, timeout: float, progress: Progress) -> None:
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


def _move(dal: DAL, known: list[Migration], target: int | None, progress: Progress) -> int:
    newest = known[-1].number
    if target is not None and not 0 <= target <= newest:
        raise MigrationError(f"there is no version {target}; this release knows 0 to {newest}")
    _refuse_unknown(dal, target, newest)
    wanted = newest if target is None else target
    before = current_version(dal)
    dal.rollback()
    moved = sum(_apply(dal, migration, progress) for migration in known if migration.number <= wanted)
    if target is not None:
        moved += sum(_revert(dal, migration, progress) for migration in reversed(known) if migration.number > target)
    _begin(dal)
    version = current_version(dal)
    dal.rollback()
    for migration in known:
        if migration.number > version or not migration.guards:
            continue
        # What a guard refuses, an older release may do, and one that was here still runs.
        if before and migration.number > before:
            progress(f"the triggers of {migration.number:04d} {migration.name} come with the next `backend migrate`")
        else:
            _make_guards(dal, migration, progress)
    progress(f"schema is at version {version} ({moved} migrations run)")
    return version


def _refuse_unknown(dal: DAL, target: int | None, newest: int) -> None:
    """A newer release's migrations can be taken back by that release only."""
    version = current_version(dal)
    dal.rollback()
    if target is not None and version > newest:
        raise MigrationError(
            f"the schema is at version {version}, this release knows up to {newest}: take the newer migrations back"
            " with the release that made them"
        )


def _refuse_shards(dal: DAL, target: int) -> None:
    """Older schemas know no shards: their rows would be forgotten."""
    _begin(dal)
    names = registered_names(dal) if target < SHARDS_VERSION else []
    dal.rollback()
    if names:
        text = f"the shards {', '.join(names)} are in use: first run backend shards drain and remove for each"
        raise MigrationError(text)


def _apply(dal: DAL, migration: Migration, progress: Progress) -> bool:
    _begin(dal)
    if current_version(dal) >= migration.number:
        dal.rollback()
        return False
    progress(f"applying migration {migration.number:04d} {migration.name}")
    _execute(dal, migration.up)
    sql = "INSERT INTO schema_version (version, name, applied_at) VALUES (%s, %s, %s)"
    values = (migration.number, migration.name, now().isoformat(" "))
    dal.executesql(placeholders(dal, sql), placeholders=values)
    dal.commit()
    return True


def _revert(dal: DAL, migration: Migration, progress: Progress) -> bool:
    _begin(dal)
    if current_version(dal) < migration.number:
        dal.rollback()
        return False
    progress(f"taking back migration {migration.number:04d} {migration.name}")
    _execute(dal, migration.down)
    dal.executesql(placeholders(dal, "DELETE FROM schema_version WHERE version = %s"), placeholders=(migration.number,))
    dal.commit()
    return True


def _execute(dal: DAL, statements: tuple[str, ...]) -> None:
    for statement in statements:
        try:
            dal.executesql(statement)
        except Exception as error:
            if not ddl.already_done(error):
                raise


def _make_guards(dal: DAL, migration: Migration, progress: Progress) -> None:
    for statement in migration.guards:
        try:
            dal.executesql(statement)
        except Exception as error:
            if not ddl.refused(error):
                raise
            progress(f"a trigger is missing, `backend doctor` tells the fix: {errors.summary(error)}")


def _begin(dal: DAL) -> None:
    dal._adapter.begin(write=True)
