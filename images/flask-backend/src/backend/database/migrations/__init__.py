"""Numbered migrations, `NNNN_name.py` with two lists of SQL statements: `UP`, and `DOWN` that takes it back.
A third one, `GUARDS`, may hold triggers that the code can do without: a server that does not let us make them keeps
no migration from being applied, and every `backend migrate` tries again (they say `IF NOT EXISTS`).

Expand first (add what the new code needs, keep what the old code uses), contract in a later release: during
an upgrade both versions run on one schema. `docs/developers/migrations.md` tells how to write one; `ddl.py`
spells the statements for each engine; a dictionary holds a statement by engine, for those it names.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import dataclass

from backend.database import ddl

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
    found = []
    for name in _names():
        module = importlib.import_module(f"{__name__}.{name}")
        number, _, title = name.partition("_")
        statements = (ddl.spell(getattr(module, kind, []), engine) for kind in ("UP", "DOWN", "GUARDS"))
        found.append(Migration(int(number), title, *statements))
    return found


def seeded_tables(engine: str) -> set[str]:
    """Tables that hold rows from the beginning, because a migration inserts them."""
    statements = [text for migration in migrations(engine) for text in migration.up]
    return {name for text in statements for name in _INSERT.findall(text)}


def required_version() -> int:
    """The schema version that this code needs: the number of its newest migration."""
    return int(_names()[-1].partition("_")[0])


def _names() -> list[str]:
    return sorted(item.name for item in pkgutil.iter_modules(__path__))
