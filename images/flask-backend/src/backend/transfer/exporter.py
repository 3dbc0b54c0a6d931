"""`backend export`: one consistent moment of the whole database, shards included, streamed into a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from backend.config import Settings
from backend.database import catalog, errors
from backend.database.migrate import current_version
from backend.database.session import now
from backend.transfer import dump
from backend.transfer.dump import TransferError
from backend.transfer.identities import next_identity
from backend.transfer.rows import Digest, digest, encode
from backend.transfer.sources import Progress, Sources, open_sources

PROGRESS_ROWS = 50_000


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
    try:
        with open_sources(settings, progress) as sources, dump.new_file(path) as stream:
            return _write(sources, settings.db_type, stream, progress)
    except Exception as error:
        if not errors.of_driver(error):
            raise
        raise TransferError(errors.summary(error)) from None


def verify(settings: Settings, path: Path, progress: Progress) -> list[TableResult]:
    """Compare the database with an export.

    Raises:
        TransferError: a table differs, or the file is not complete.
    """
    try:
        with open_sources(settings, progress) as sources:
            records = dump.records(path)
            dump.read_header(records, path, current_version(sources.primary))
            expected = [
                TableResult(record["end"], record["rows"], record["hash"])
                for record in records
                if isinstance(record, dict) and "end" in record
            ]
            found = [_digest(sources, table, progress) for table in sources.tables()]
    except Exception as error:
        if not errors.of_driver(error):
            raise
        raise TransferError(errors.summary(error)) from None
    different = {result.table for result in set(expected) ^ set(found)}
    if different:
        raise TransferError(f"the database differs from {path} in: {', '.join(sorted(different))}")
    return found


def _write(sources: Sources, engine: str, stream, progress: Progress) -> list[TableResult]:
    version = current_version(sources.primary)
    if version == 0:
        raise TransferError("the database has no schema: there is nothing to export")
    header = {"format": dump.FORMAT, "format_version": dump.FORMAT_VERSION, "schema_version": version}
    _line(stream, header | {"engine": engine, "created_at": now().isoformat(" ")})
    results = [_write_table(sources, engine, table, stream, progress) for table in sources.tables()]
    _line(stream, {"complete": True, "tables": len(results)})
    return results


def _write_table(sources: Sources, engine: str, table: catalog.Table, stream, progress: Progress) -> TableResult:
    following = next_identity(sources.primary, engine, table) if table.identity else None
    _line(stream, {"table": table.name, "columns": [column.name for column in table.columns], "next_id": following})
    total = Digest()
    for row in sources.rows(table):
        line = encode(row)
        stream.write(line + "\n")
        total.add(line)
        if total.rows % PROGRESS_ROWS == 0:
            progress(f"{table.name}: {total.rows} rows")
    _line(stream, {"end": table.name, "rows": total.rows, "hash": total.hash})
    return TableResult(table.name, total.rows, total.hash)


def _digest(sources: Sources, table: catalog.Table, progress: Progress) -> TableResult:
    progress(f"comparing {table.name}")
    total = digest(sources.rows(table))
    return TableResult(table.name, total.rows, total.hash)


def _line(stream, record: dict) -> None:
    stream.write(json.dumps(record, ensure_ascii=False) + "\n")
