"""What is known of the primary and of each shard."""

from __future__ import annotations

from backend.config import Settings
from backend.database.errors import DatabaseUnavailable
from backend.shards.cluster import Shards
from backend.shards.membership import find, row_counts
from backend.shards.registry import Layout

UNUSED = "unused"


def report(shards: Shards, settings: Settings) -> list[dict]:
    """`{name, state, settled, address, rows, problem}` of the primary, the shards in use and those that could be.

    Raises:
        DatabaseUnavailable: of the primary.
    """
    layout = shards.layout()
    rows = shards.primary.read(row_counts)
    first = {"name": "primary", "state": "primary", "settled": layout.settled, "address": settings.address}
    lines = [first | {"rows": rows, "problem": ""}]
    names = [member.name for member in layout.members]
    names += [name for name in settings.shards if name not in names]
    return lines + [_line(shards, settings, layout, name) for name in names]


def _line(shards: Shards, settings: Settings, layout: Layout, name: str) -> dict:
    member, own = find(layout, name), settings.shards.get(name)
    line = {"name": name, "state": member.state if member else UNUSED, "settled": bool(member and member.settled)}
    line |= {"address": own.address if own else "not in SHARDS", "rows": {}, "problem": ""}
    if member is None:
        return line
    try:
        database = shards.database(name, layout)
        return line | {"rows": shards.ask(name, database, lambda own: own.read(row_counts))}
    except DatabaseUnavailable as error:
        return line | {"problem": str(error)}
