"""Rows in a form that is the same on every engine, and hashes that prove it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydal import DAL

from backend.database.catalog import Column, Table
from backend.database.session import fetch

BATCH = 500
_MODULUS = 2**256


@dataclass
class Digest:
    """Number and hash of a table's rows, whatever their order: the sum of their SHA-256, modulo 2²⁵⁶."""

    rows: int = 0
    total: int = 0

    def add(self, line: str) -> None:
        self.rows += 1
        self.total = (self.total + int.from_bytes(hashlib.sha256(line.encode()).digest())) % _MODULUS

    @property
    def hash(self) -> str:
        return f"{self.total:064x}"


def encode(row: list) -> str:
    """One row as a line of JSON."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def to_json(column: Column, value: object) -> object:
    """A value from a driver as JSON holds it; datetimes as `2026-01-31 12:00:00`, bytes as base64."""
    if value is None:
        return None
    return _TO_JSON[column.kind](value)


def from_json(column: Column, value: object) -> object:
    """The way back, for a placeholder."""
    return base64.b64decode(value) if column.kind == "binary" and value is not None else value


def _datetime(value: object) -> str:
    text = str(value).replace("T", " ")
    return text.rstrip("0").rstrip(".") if "." in text else text


_TO_JSON = {
    "integer": int,
    "text": str,
    "number": float,
    "datetime": _datetime,
    "binary": lambda value: base64.b64encode(bytes(value)).decode(),
}


def select_rows(db: DAL, table: Table) -> Iterator[list]:
    """Every row as a list in the order of `table.columns`, read in batches by the primary key."""
    columns = ", ".join(column.name for column in table.columns)
    key = ", ".join(table.primary_key)
    marks = ", ".join(["%s"] * len(table.primary_key))
    last: tuple | None = None
    while True:
        where = f" WHERE ({key}) > ({marks})" if last else ""
        batch = fetch(db, f"SELECT {columns} FROM {table.name}{where} ORDER BY {key} LIMIT {BATCH}", *(last or ()))
        for row in batch:
            yield [to_json(column, row[column.name]) for column in table.columns]
        if len(batch) < BATCH:
            return
        last = tuple(batch[-1][name] for name in table.primary_key)


def digest(rows: Iterable[list]) -> Digest:
    """Number and hash of rows."""
    result = Digest()
    for row in rows:
        result.add(encode(row))
    return result


@contextmanager
def snapshot(dal: DAL, engine: str) -> Iterator[DAL]:
    """A read-only transaction that sees one moment of the whole database, however long it takes."""
    dal.rollback()
    if engine == "sqlite":
        dal._adapter.begin(write=False)
    for statement in _SNAPSHOT[engine]:
        dal.executesql(statement)
    try:
        yield dal
    finally:
        dal.rollback()


_SNAPSHOT = {
    "postgresql": [
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
    ],
    "mysql": [
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ],
    "sqlite": [],
}
