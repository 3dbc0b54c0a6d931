"""What tables a database has, read from the server: columns, keys, and which table refers to which."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter

from pydal import DAL

from backend.database.session import fetch

# Of the migrations and of the shards: they describe this installation and move nowhere.
OWN_TABLES = frozenset(
    {"schema_version", "schema_lock", "audit_maintenance", "shards", "shard_identity", "shard_arrivals"}
)
_KINDS = {
    "integer": {"integer", "int", "smallint", "bigint", "tinyint", "mediumint", "boolean"},
    "text": {"character varying", "character", "varchar", "char", "text", "tinytext", "mediumtext", "longtext"},
    "datetime": {"timestamp without time zone", "timestamp", "datetime"},
    "number": {"double precision", "double", "real", "float"},
    "binary": {"bytea", "blob", "mediumblob", "longblob", "varbinary", "binary"},
}


@dataclass(frozen=True)
class Column:
    """One column; `kind` is integer, text, datetime, number or binary, the same on every engine."""

    name: str
    kind: str
    optional: bool
    identity: bool


@dataclass(frozen=True)
class Table:
    """One table of the application; its columns are sorted by name."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    references: frozenset[str]

    @property
    def identity(self) -> str | None:
        """The column whose values the server counts up."""
        return next((column.name for column in self.columns if column.identity), None)


def tables(db: DAL, engine: str) -> list[Table]:
    """The application's tables in an order in which their rows can be inserted."""
    columns, keys, references = _READERS[engine](db)
    names = sorted({row["table_name"] for row in columns} - OWN_TABLES)
    found = {}
    for name in names:
        own = [_column(row) for row in columns if row["table_name"] == name]
        key = tuple(row["column_name"] for row in keys if row["table_name"] == name)
        parents = {row["parent"] for row in references if row["table_name"] == name} - {name}
        ordered = tuple(sorted(own, key=lambda column: column.name))
        found[name] = Table(name, ordered, key, frozenset(parents))
    order = TopologicalSorter({name: sorted(table.references) for name, table in found.items()})
    return [found[name] for name in order.static_order()]


def _column(row: dict) -> Column:
    base = row["data_type"].lower().partition("(")[0].strip()
    kind = next((kind for kind, types in _KINDS.items() if base in types), None)
    if kind is None:
        raise ValueError(f"{row['table_name']}.{row['column_name']}: the type {base} has no spelling on every engine")
    return Column(row["column_name"], kind, bool(row["optional"]), bool(row["is_identity"]))


def _postgresql(db: DAL) -> tuple[list[dict], list[dict], list[dict]]:
    columns = fetch(
        db,
        "SELECT c.table_name, c.column_name, c.data_type,"
        " c.is_nullable = 'YES' OR c.column_default IS NOT NULL OR c.is_identity = 'YES' AS optional,"
        " c.is_identity = 'YES' AS is_identity FROM information_schema.columns c"
        " JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name"
        " WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'",
    )
    keys = fetch(
        db,
        "SELECT t.relname AS table_name, a.attname AS column_name FROM pg_constraint c"
        " JOIN pg_class t ON t.oid = c.conrelid"
        " CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k (number, position)"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number"
        " WHERE c.contype = 'p' AND t.relnamespace = current_schema()::regnamespace ORDER BY t.relname, k.position",
    )
    references = fetch(
        db,
        "SELECT t.relname AS table_name, p.relname AS parent FROM pg_constraint c"
        " JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class p ON p.oid = c.confrelid"
        " WHERE c.contype = 'f' AND t.relnamespace = current_schema()::regnamespace",
    )
    return columns, keys, references


def _mysql(db: DAL) -> tuple[list[dict], list[dict], list[dict]]:
    columns = fetch(
        db,
        "SELECT c.table_name AS table_name, c.column_name AS column_name, c.data_type AS data_type,"
        " c.is_nullable = 'YES' OR c.column_default IS NOT NULL OR c.extra = 'auto_increment' AS optional,"
        " c.extra = 'auto_increment' AS is_identity FROM information_schema.columns c"
        " JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name"
        " WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE'",
    )
    usage = fetch(
        db,
        "SELECT table_name AS table_name, column_name AS column_name, constraint_name AS constraint_name,"
        " referenced_table_name AS parent FROM information_schema.key_column_usage"
        " WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position",
    )
    keys = [row for row in usage if row["constraint_name"] == "PRIMARY"]
    return columns, keys, [row for row in usage if row["parent"]]


def _sqlite(db: DAL) -> tuple[list[dict], list[dict], list[dict]]:
    made = fetch(
        db, "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    )
    columns, keys, references = [], [], []
    for table in made:
        name = table["name"]
        counts = "AUTOINCREMENT" in table["sql"].upper()
        rows = fetch(db, f"SELECT * FROM pragma_table_info('{name}')")
        for row in rows:
            identity = counts and row["pk"] == 1
            optional = not row["notnull"] or row["dflt_value"] is not None or identity
            columns.append(
                {
                    "table_name": name,
                    "column_name": row["name"],
                    "data_type": row["type"],
                    "optional": optional,
                    "is_identity": identity,
                }
            )
        ordered = sorted((row for row in rows if row["pk"]), key=lambda row: row["pk"])
        keys += [{"table_name": name, "column_name": row["name"]} for row in ordered]
        parents = fetch(db, f"SELECT * FROM pragma_foreign_key_list('{name}')")
        references += [{"table_name": name, "parent": row["table"]} for row in parents]
    return columns, keys, references


_READERS = {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}
