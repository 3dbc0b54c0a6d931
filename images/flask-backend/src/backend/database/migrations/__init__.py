"""Numbered migrations, `NNNN_name.py` with two lists of SQL statements: `UP`, and `DOWN` that takes it back.
A third one, `GUARDS`, may hold triggers that the code can do without: a server that does not let us make them keeps
no migration from being applied, and every `backend migrate` tries again (they say `IF NOT EXISTS`). They contract: a
database that an older release uses gets them by the first `backend migrate` after the one that applied the migration.

Expand first (add what the new code needs, keep what the old code uses), contract in a later release: during
an upgrade both versions run on one schema. `docs/developers/migrations.md` tells how to write one; `ddl.py`
spells the statements for each engine; a dictionary holds a statement by engine, for those it names.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass

from backend.database import ddl

# The tables that a shard has: those of events and its own. Functions and triggers bear their table's name.
SHARD_TABLES = frozenset({"audit_events", "audit_maintenance", "events", "shard_identity", "shard_arrivals"})
# The first version in which there are shards.
SHARDS_VERSION = 9
_SUBJECT = re.compile(
    r"\b(?:TABLE|INTO|ON|FUNCTION|DROP\s+TRIGGER)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(\w+)", re.IGNORECASE
)
_INSERT = re.compile(r"^INSERT INTO (\w+)", re.IGNORECASE)


@dataclass(frozen=True)
class Migration:
    """One step of the schema: its number, its name and its statements for one engine."""

    number: int
    name: str
    up: tuple[str, ...]
    down: tuple[str, ...]
    guards: tuple[str, ...] = ()


def migrations(engine: str) -> list[Migration]:
    """All migrations for `postgresql`, `mysql` or `sqlite`, in order."""
    return _read(engine, lambda statement: True)


def shard_migrations(engine: str) -> list[Migration]:
    """All migrations as a shard runs them: of their statements those about `SHARD_TABLES`."""

    def wanted(statement: str) -> bool:
        subject = _SUBJECT.search(statement)[1]
        return subject in SHARD_TABLES or subject.startswith("audit_events_")

    return _read(engine, wanted)


def _read(engine: str, wanted: Callable[[str], bool]) -> list[Migration]:
    found = []
    for name in _names():
        module = importlib.import_module(f"{__name__}.{name}")
        number, _, title = name.partition("_")
        statements = (_chosen(getattr(module, kind, []), engine, wanted) for kind in ("UP", "DOWN", "GUARDS"))
        found.append(Migration(int(number), title, *(ddl.spell(texts, engine) for texts in statements)))
    return found


def _chosen(statements: list[str | dict[str, str]], engine: str, wanted: Callable[[str], bool]) -> list[str]:
    texts = [text if isinstance(text, str) else text.get(engine, "") for text in statements]
    return [text for text in texts if text and wanted(text)]


def seeded_tables(engine: str) -> set[str]:
    """Tables that hold rows from the beginning, because a migration inserts them."""
    statements = [text for migration in migrations(engine) for text in migration.up]
    return {name for text in statements for name in _INSERT.findall(text)}


def required_version() -> int:
    """The schema version that this code needs: the number of its newest migration."""
    return int(_names()[-1].partition("_")[0])


def _names() -> list[str]:
    return sorted(item.name for item in pkgutil.iter_modules(__path__))
