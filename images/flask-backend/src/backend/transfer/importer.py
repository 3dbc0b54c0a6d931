"""`backend import`: fills a database from an export, in one transaction that commits only when the hashes are equal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydal import DAL

from backend.audit import service as audit
from backend.config import Settings
from backend.database import catalog, errors
from backend.database.engine import build_dal
from backend.database.migrate import current_version, registered_names
from backend.database.migrations import seeded_tables
from backend.database.session import fetch, placeholders
from backend.transfer import dump
from backend.transfer.dump import TransferError
from backend.transfer.exporter import PROGRESS_ROWS, Progress, TableResult
from backend.transfer.identities import set_next_identity
from backend.transfer.rows import Digest, digest, encode, from_json, select_rows

INSERT_ROWS = 200


def import_file(settings: Settings, path: Path, replace: bool, progress: Progress) -> list[TableResult]:
    """Fill the database from `path`; a failure leaves it as it was.

    Args:
        replace: delete what the database holds; otherwise it has to be empty.

    Raises:
        TransferError: the database is not empty, has another schema, a hash differs, or the file is damaged.
    """
    dal = build_dal(settings, statement_timeout=0)
    try:
        return _Import(dal, settings.db_type, path, progress).run(replace)
    except Exception as error:
        if not errors.of_driver(error):
            raise
        raise TransferError(f"nothing was imported: {errors.summary(error)}") from None
    finally:
        dal._adapter.release(healthy=False)


class _Import:
    def __init__(self, dal: DAL, engine: str, path: Path, progress: Progress):
        self._db, self._engine, self._path, self._progress = dal, engine, path, progress
        self._next_ids: dict[str, int] = {}

    def run(self, replace: bool) -> list[TableResult]:
        self._begin()
        if self._engine == "postgresql":
            self._db.executesql("SET LOCAL idle_in_transaction_session_timeout = 0")
        version = current_version(self._db)
        if version == 0:
            raise TransferError("the database has no schema; run: backend migrate")
        names = registered_names(self._db)
        if names:
            fix = "run backend shards drain and remove for each, and add them again after the import"
            raise TransferError(f"the shards {', '.join(names)} are in use, and an import fills the primary: {fix}")
        tables = {table.name: table for table in catalog.tables(self._db, self._engine)}
        records = dump.records(self._path)
        dump.read_header(records, self._path, version)
        self._make_room(list(tables.values()), replace)
        results = [self._table(tables, record, records) for record in records if "table" in record]
        missing = tables.keys() - {result.table for result in results}
        if missing:
            raise TransferError(f"{self._path} lacks the tables {', '.join(sorted(missing))}")
        if self._engine != "mysql":
            self._restore_identities(tables)
        self._db.commit()
        if self._engine == "mysql":  # there it would have committed
            self._restore_identities(tables)
        return results

    def _begin(self) -> None:
        self._db.rollback()
        self._db._adapter.begin(write=True)

    def _make_room(self, tables: list[catalog.Table], replace: bool) -> None:
        names = [table.name for table in tables if table.name not in seeded_tables(self._engine)]
        filled = [name for name in names if fetch(self._db, f"SELECT 1 AS one FROM {name} LIMIT 1")]
        if filled and not replace:
            text = f"the database is not empty ({', '.join(filled)}): give --replace to delete what it holds"
            raise TransferError(text)
        with audit.deletes_allowed(self._db):
            for table in reversed(tables):
                self._db.executesql(f"DELETE FROM {table.name}")

    def _table(self, tables: dict[str, catalog.Table], record: dict, records: Iterator) -> TableResult:
        name = record["table"]
        table = tables.get(name)
        if table is None or record["columns"] != [column.name for column in table.columns]:
            raise TransferError(f"the table {name} of {self._path} does not fit the database's schema")
        if table.identity:
            self._next_ids[name] = record["next_id"]
        read = Digest()
        end = self._insert(table, records, read)
        stored = digest(select_rows(self._db, table))
        if not (end["rows"] == read.rows == stored.rows and end["hash"] == read.hash == stored.hash):
            raise TransferError(f"{name}: the hashes differ, nothing was imported")
        self._progress(f"{name}: {read.rows} rows, equal")
        return TableResult(name, read.rows, read.hash)

    def _insert(self, table: catalog.Table, records: Iterator, read: Digest) -> dict:
        batch: list[list] = []
        for record in records:
            if isinstance(record, dict):
                self._flush(table, batch)
                return record
            read.add(encode(record))
            batch.append([from_json(column, value) for column, value in zip(table.columns, record, strict=True)])
            if len(batch) == INSERT_ROWS:
                self._flush(table, batch)
            if read.rows % PROGRESS_ROWS == 0:
                self._progress(f"{table.name}: {read.rows} rows")
        raise TransferError(f"{self._path} ends within the table {table.name}")

    def _flush(self, table: catalog.Table, batch: list[list]) -> None:
        if not batch:
            return
        names = ", ".join(column.name for column in table.columns)
        row = "(" + ", ".join(["%s"] * len(table.columns)) + ")"
        sql = f"INSERT INTO {table.name} ({names}) VALUES {', '.join([row] * len(batch))}"
        values = [value for row in batch for value in row]
        self._db.executesql(placeholders(self._db, sql), placeholders=values)
        batch.clear()

    def _restore_identities(self, tables: dict[str, catalog.Table]) -> None:
        for name, number in self._next_ids.items():
            set_next_identity(self._db, self._engine, tables[name], number)
        self._db.commit()
