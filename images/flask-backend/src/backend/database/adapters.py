"""PyDAL adapters with what its own ones get wrong for a long-running, threaded server."""

from __future__ import annotations

import contextlib

from pydal._globals import THREAD_LOCAL
from pydal.adapters import adapters
from pydal.adapters.mysql import MySQL
from pydal.adapters.postgres import PostgrePsyco
from pydal.adapters.sqlite import SQLite
from pydal.connection import ConnectionPool

from backend.tracing import statement_span

SQL_MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_BACKSLASH_ESCAPES"


class PoolMixin:
    """No ping at checkout (it runs under one lock for all threads); a loss empties the pool instead."""

    check_active_connection = False
    system = ""

    def execute(self, *args, **kwargs):
        with statement_span(self.system, args[0]):
            return super().execute(*args, **kwargs)

    def begin(self, write: bool) -> None:
        """Start a transaction; the server drivers do so at the first statement."""

    def begin_reads(self) -> None:
        """Start statements that write nothing; each may see a moment of its own, as READ COMMITTED has it anyway."""
        self.begin(write=False)

    def release(self, healthy: bool) -> None:
        """Give this thread's connection back, rolled back, or drop it and its pooled siblings."""
        if healthy:
            with contextlib.suppress(Exception):
                self.close("rollback")
                return
        connection = getattr(THREAD_LOCAL, self._connection_uname_, None)
        self.set_connection(None)
        for lost in filter(None, [connection, *self._take_pool()]):
            with contextlib.suppress(Exception):
                lost.close()

    def _take_pool(self) -> list:
        pool = ConnectionPool.POOLS.get(self.uri, [])
        taken = []
        with contextlib.suppress(IndexError):
            while True:
                taken.append(pool.pop())
        return taken


@adapters.register_for("pooledpostgres")
class PostgresAdapter(PoolMixin, PostgrePsyco):
    """psycopg2, connecting at first use rather than in the constructor."""

    built = False
    system = "postgresql"

    def get_connection(self, use_pool=True):
        return super().get_connection(use_pool) if self.built else None

    def _config_json(self):
        self.dialect = self._get_json_dialect()(self)
        self.parser = self._get_json_parser()(self)

    def after_connection(self):
        """Nothing: `options` of the connection sets all, a SET here would be undone by a rollback."""

    def begin_reads(self) -> None:
        # psycopg2 sends BEGIN and ROLLBACK as statements of their own: without them a read is one round trip, not three.
        self.get_connection().autocommit = True

    def release(self, healthy: bool) -> None:
        if healthy:
            with contextlib.suppress(Exception):
                self.connection.autocommit = False
        super().release(healthy)


@adapters.register_for("pooledmysql")
class MySqlAdapter(PoolMixin, MySQL):
    """PyMySQL in strict mode: PyDAL's own hook would silently cut long values."""

    drivers = ("pymysql",)
    system = "mysql"

    def connector(self):
        # PyDAL uses the old names of these two arguments.
        renamed = {"db": "database", "passwd": "password"}
        return self.driver.connect(**{renamed.get(key, key): value for key, value in self.driver_args.items()})

    def after_connection(self):
        self.execute(f"SET SESSION sql_mode='{SQL_MODE}', time_zone='+00:00'")
        self.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        self.execute("SELECT @@SESSION.sql_mode")
        modes = set(self.cursor.fetchone()[0].split(","))
        if not {"STRICT_ALL_TABLES", "NO_BACKSLASH_ESCAPES"} <= modes:
            self.connection.close()
            raise RuntimeError(f"the server did not take the strict sql_mode: {sorted(modes)}")
        self.connection.commit()


@adapters.register_for("pooledsqlite")
class SqliteAdapter(PoolMixin, SQLite):
    """Write-ahead log, and writers that queue at BEGIN instead of failing at COMMIT."""

    system = "sqlite"

    def after_connection(self):
        super().after_connection()
        self.execute("PRAGMA busy_timeout=10000")
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=FULL")

    def begin(self, write: bool) -> None:
        self.get_connection()
        self.execute("BEGIN IMMEDIATE" if write else "BEGIN")
