"""Checks of the database server, its settings and the schema."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from backend.context import Services
from backend.database import catalog
from backend.database.migrate import current_version
from backend.database.migrations import SHARDS_VERSION, required_version
from backend.database.session import fetch
from backend.doctor.report import OK, WARNING, WRONG, Finding
from backend.shards.membership import row_counts

SKEW_SECONDS = 5
_VERSIONS = {
    "postgresql": "SELECT version() AS version",
    "mysql": "SELECT VERSION() AS version",
    "sqlite": "SELECT 'SQLite ' || sqlite_version() AS version",
}
_CLOCKS = {
    "postgresql": "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION) AS seconds",
    "mysql": "SELECT UNIX_TIMESTAMP(NOW(6)) AS seconds",
}
_CONNECTIONS = {
    "postgresql": "SELECT CAST(current_setting('max_connections') AS INTEGER) AS n",
    "mysql": "SELECT @@GLOBAL.max_connections AS n",
}


def database(services: Services) -> Iterator[Finding]:
    """It answers, and how fast. Asked once, without further tries: who asks wants to know how it is now."""
    started = time.perf_counter()
    sql = _VERSIONS[services.database.engine]
    version = services.database.once(lambda db: fetch(db, sql)[0]["version"], write=False)
    milliseconds = (time.perf_counter() - started) * 1000
    yield Finding("database", OK, f"{version.split(' on ')[0]}, {milliseconds:.1f} ms")


def schema(services: Services) -> Iterator[Finding]:
    """The version, and that every table and column of this release exists."""
    version, needed = services.database.read(current_version), required_version()
    if version < needed:
        yield Finding("schema", WRONG, f"version {version}, this release needs {needed}", "run: backend migrate")
        return
    yield Finding("schema", OK, f"version {version}" + (", newer than this release" if version > needed else ""))
    found = services.database.read(lambda db: catalog.tables(db, services.database.engine))
    columns = {table.name: {column.name for column in table.columns} for table in found}
    for table in services.database.dal.tables:
        missing = set(services.database.dal[table].fields) - columns.get(table, set())
        if missing:
            text = f"{table} lacks {', '.join(sorted(missing))}"
            yield Finding("schema", WRONG, text, "restore the table, or import an export into a new database")


def modes(services: Services) -> Iterator[Finding]:
    """What decides whether text is stored as it came."""
    yield from _MODES[services.database.engine](services)


def clock(services: Services) -> Iterator[Finding]:
    """The server's clock against this machine's: sessions and keys expire by either."""
    if services.database.engine == "sqlite":
        return
    before = datetime.now(UTC).timestamp()
    server = float(_one(services, _CLOCKS[services.database.engine])["seconds"])
    skew = server - (before + datetime.now(UTC).timestamp()) / 2
    state = OK if abs(skew) < SKEW_SECONDS else WRONG
    fix = "" if state == OK else "synchronise the clocks of the nodes (NTP)"
    yield Finding("clock", state, f"the database is {skew:+.2f} s from this machine", fix)


def connections(services: Services) -> Iterator[Finding]:
    """The pool against what the server allows."""
    if services.database.engine == "sqlite":
        return
    size = services.database.pool.statistics().size
    allowed = int(_one(services, _CONNECTIONS[services.database.engine])["n"])
    enough = allowed > size
    fix = "" if enough else "raise max_connections of the server, or lower DB_POOL_SIZE"
    yield Finding("connections", OK if enough else WRONG, f"{size} per process, the server allows {allowed}", fix)


def replica(services: Services) -> Iterator[Finding]:
    """Whether a read would take the replica."""
    own = services.database.replica
    if own is None:
        return
    services.database.read(lambda db: fetch(db, "SELECT 1 AS one"), replica=True)
    outcome = next(iter(own.outcomes))
    if outcome == "replica":
        yield Finding("replica", OK, "has caught up")
    else:
        fix = "check DB_REPLICA_HOST and the server's replication; until then the primary answers"
        yield Finding("replica", WARNING, outcome, fix)


def shards(services: Services) -> Iterator[Finding]:
    """Each shard in use, and whether its rows are where they belong."""
    if services.database.read(current_version) < SHARDS_VERSION:
        return  # said already
    layout = services.shards.layout()
    for name, problem in services.shards.states(layout).items():
        fix = "start the shard's database, or mend SHARDS and SHARD_*_DB_*" if problem else ""
        yield Finding(f"shard {name}", WRONG if problem else OK, problem or _shard_detail(services, name), fix)
    if not layout.settled:
        text = "rows are still on their way to their shards"
        yield Finding("shards", WARNING, text, "wait for the worker, or run: backend shards rebalance")
    for name in sorted(services.settings.shards.keys() - {member.name for member in layout.members}):
        yield Finding(f"shard {name}", OK, f"in SHARDS, not in use; to use it: backend shards add {name}")


def _shard_detail(services: Services, name: str) -> str:
    counts = services.shards.databases[name].read(row_counts)
    return ", ".join(f"{rows} {table}" for table, rows in counts.items())


def _postgresql_modes(services: Services) -> Iterator[Finding]:
    encoding = _one(services, "SELECT current_setting('server_encoding') AS value")["value"]
    if encoding == "UTF8":
        yield Finding("encoding", OK, encoding)
    else:
        yield Finding("encoding", WRONG, encoding, "create the database with ENCODING 'UTF8'")


def _mysql_modes(services: Services) -> Iterator[Finding]:
    mode = _one(services, "SELECT @@SESSION.sql_mode AS value")["value"]
    strict = "STRICT_ALL_TABLES" in mode
    yield Finding("sql_mode", OK if strict else WRONG, mode, "" if strict else "report this: the backend sets it")
    sql = "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()"
    sql += " AND table_type = 'BASE TABLE' AND table_collation NOT LIKE %s ORDER BY table_name"
    others = [row["name"] for row in services.database.read(lambda db: fetch(db, sql, "utf8mb4%"))]
    others = [name for name in others if name not in catalog.OWN_TABLES]
    if others:
        fix = "ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        yield Finding("character set", WRONG, f"not utf8mb4: {', '.join(others)}", fix)
    else:
        yield Finding("character set", OK, "utf8mb4")


def _sqlite_modes(services: Services) -> Iterator[Finding]:
    journal = _one(services, "SELECT journal_mode AS value FROM pragma_journal_mode")["value"]
    fine = journal == "wal"
    yield Finding("journal", OK if fine else WRONG, journal, "" if fine else "move the file to a local file system")


_MODES = {"postgresql": _postgresql_modes, "mysql": _mysql_modes, "sqlite": _sqlite_modes}


def _one(services: Services, sql: str) -> dict:
    return services.database.read(lambda db: fetch(db, sql)[0])


CHECKS = (schema, modes, clock, connections, replica, shards)
