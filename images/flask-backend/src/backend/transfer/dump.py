"""The file of an export: gzip-compressed lines of JSON.

{"format": "triptych-export", "format_version": 1, "schema_version": 7, "engine": "postgresql", "created_at": "…"}
{"table": "users", "columns": ["created_at", "email", …], "next_id": 12}
["2026-01-31 12:00:00", "a@example.com", …]            one line for each row
{"end": "users", "rows": 11, "hash": "…"}              and so on for each table, then
{"complete": true, "tables": 9}
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

FORMAT = "triptych-export"
FORMAT_VERSION = 1


class TransferError(Exception):
    """The export or import cannot go on; one line tells why and what to do."""


@contextmanager
def new_file(path: Path) -> Iterator[IO[str]]:
    """A text stream into a file that appears, readable by its owner only, when it is complete."""
    part = path.with_name(path.name + ".part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as raw:
            with gzip.open(raw, "wt", compresslevel=6, encoding="utf-8", newline="\n") as stream:
                yield stream
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(path)
    except OSError as error:
        raise TransferError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


def records(path: Path) -> Iterator[dict | list]:
    """Every line of an export, the header first.

    Raises:
        TransferError: the file is not an export, is damaged, or ends early.
    """
    complete = False
    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            for line in stream:
                record = json.loads(line)
                complete = isinstance(record, dict) and bool(record.get("complete"))
                yield record
    except (gzip.BadGzipFile, EOFError, ValueError, zlib.error) as error:
        raise TransferError(f"{path} is damaged or no export of this program ({type(error).__name__})") from None
    except OSError as error:
        raise TransferError(f"cannot read {path}: {error.strerror or error}") from None
    if not complete:
        raise TransferError(f"{path} ends early: make the export again")


def read_header(stream: Iterator[dict | list], path: Path, schema_version: int) -> dict:
    """The first record. Raises `TransferError` unless it fits this program and the database's schema."""
    header = next(stream, None)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise TransferError(f"{path} is no export of this program")
    if header["format_version"] != FORMAT_VERSION:
        raise TransferError(f"{path} has format {header['format_version']}, this release reads {FORMAT_VERSION}")
    if header["schema_version"] != schema_version:
        raise TransferError(
            f"{path} is of schema version {header['schema_version']}, the database has {schema_version};"
            f" run: backend migrate --to {header['schema_version']}"
        )
    return header
