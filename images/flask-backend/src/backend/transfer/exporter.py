"""`backend export`: one consistent moment of the whole database, streamed into a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydal import DAL

from backend.config import Settings
from backend.database import catalog, errors
from backend.database.engine import build_dal
from backend.database.migrate import current_version
from backend.database.session import now
from backend.transfer import dump
from backend.transfer.dump import TransferError
from backend.transfer.identities import next_identity
from backend.transfer.rows import Digest, digest, encode, select_rows, snapshot

PROGRESS_ROWS = 50_000
Progress = Callable[[str], None]


@dataclass(frozen=True)
class TableResult:
    """What one table held: number of rows and their hash."""

    table: str
    rows: int
    hash: str


def export(settings: Settings, path: Path, progress: Progress) -> list[TableResult]:
    """Write every table to `path`.

    Raises:
        TransferError: the database went away, has no schema, or the file cannot be written.
    """
    dal = build_dal(settings, statement_timeout=0)
    try:
        with snapshot(dal, settings.db_type) as db, dump.new_file(path) as stream:
            return _write(db, settings.db_type, stream, progress)
    except Exception as error:
        if not errors.of_driver(error):
            raise
        raise TransferError(errors.summary(error)) from None
    finally:
        dal._adapter.release(healthy=False)


def verify(settings: Settings, path: Path, progress: Progress) -> list[TableResult]:
    """Compare the database with an export.

    Raises:
        TransferError: a table differs, or the file is not complete.
    """
    dal = build_dal(settings, statement_timeout=0)
    try:
        with snapshot(dal, settings.db_type) as db:
            records = dump.records(path)
            dump.read_header(records, path, current_version(db))
            expected = [
                TableResult(record["end"], record["rows"], record["hash"])
                for record in records
                if isinstance(record, dict) and "end" in record
            ]
            found = [_digest(db, table, progress) for table in catalog.tables(db, settings.db_type)]
    except Exception as error:
        if not errors.of_driver(error):
            raise
        raise TransferError(errors.summary(error)) from None
    finally:
        dal._adapter.release(healthy=False)
    different = {result.table for result in set(expected) ^ set(found)}
    if different:
        raise TransferError(f"the database differs from {path} in: {', '.join(sorted(different))}")
    return found


def _write(db: DAL, engine: str, stream, progress: Progress) -> list[TableResult]:
    version = current_version(db)
    if version == 0:
        raise TransferError("the database has no schema: there is nothing to export")
    header = {"format": dump.FORMAT, "format_version": dump.FORMAT_VERSION, "schema_version": version}
    _line(stream, header | {"engine": engine, "created_at": now().isoformat(" ")})
    results = [_write_table(db, engine, table, stream, progress) for table in catalog.tables(db, engine)]
    _line(stream, {"complete": True, "tables": len(results)})
    return results


def _write_table(db: DAL, engine: str, table: catalog.Table, stream, progress: Progress) -> TableResult:
    following = next_identity(db, engine, table) if table.identity else None
    _line(stream, {"table": table.name, "columns": [column.name for column in table.columns], "next_id": following})
    total = Digest()
    for row in select_rows(db, table):
        line = encode(row)
        stream.write(line + "\n")
        total.add(line)
        if total.rows % PROGRESS_ROWS == 0:
            progress(f"{table.name}: {total.rows} rows")
    _line(stream, {"end": table.name, "rows": total.rows, "hash": total.hash})
    return TableResult(table.name, total.rows, total.hash)


def _digest(db: DAL, table: catalog.Table, progress: Progress) -> TableResult:
    progress(f"comparing {table.name}")
    total = digest(db, table)
    return TableResult(table.name, total.rows, total.hash)


def _line(stream, record: dict) -> None:
    stream.write(json.dumps(record, ensure_ascii=False) + "\n")
