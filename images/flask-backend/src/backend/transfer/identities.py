"""The next number of an identity column: read it, and set it on another server, so that no id is given twice."""

from __future__ import annotations

import re

from pydal import DAL

from backend.database.catalog import Table
from backend.database.session import fetch, placeholders


def next_identity(db: DAL, engine: str, table: Table) -> int:
    """The number that the next row gets; at least one more than the largest in the table."""
    largest = fetch(db, f"SELECT COALESCE(MAX({table.identity}), 0) AS n FROM {table.name}")[0]["n"]
    return max(largest + 1, _READERS[engine](db, table))


def set_next_identity(db: DAL, engine: str, table: Table, number: int) -> None:
    """Let the next row get `number`. On MariaDB and MySQL this commits the transaction."""
    number = int(number)
    if engine == "postgresql":
        db.executesql(f"SELECT setval(pg_get_serial_sequence('{table.name}', '{table.identity}'), {number}, false)")
    elif engine == "mysql":
        db.executesql(f"ALTER TABLE {table.name} AUTO_INCREMENT = {number}")
    else:
        remove = placeholders(db, "DELETE FROM sqlite_sequence WHERE name = %s")
        db.executesql(remove, placeholders=(table.name,))
        add = placeholders(db, "INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)")
        db.executesql(add, placeholders=(table.name, number - 1))


def _postgresql(db: DAL, table: Table) -> int:
    name = fetch(db, "SELECT pg_get_serial_sequence(%s, %s) AS name", table.name, table.identity)[0]["name"]
    row = fetch(db, f"SELECT last_value, is_called FROM {name}")[0]
    return row["last_value"] + bool(row["is_called"])


def _mysql(db: DAL, table: Table) -> int:
    # information_schema may show a cached number; this statement does not.
    text = db.executesql(f"SHOW CREATE TABLE {table.name}")[0][1]
    found = re.search(r"AUTO_INCREMENT=(\d+)", text)
    return int(found[1]) if found else 1


def _sqlite(db: DAL, table: Table) -> int:
    rows = fetch(db, "SELECT seq FROM sqlite_sequence WHERE name = %s", table.name)
    return rows[0]["seq"] + 1 if rows else 1


_READERS = {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}
