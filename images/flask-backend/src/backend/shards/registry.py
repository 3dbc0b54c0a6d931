"""Which shards are in use, as the primary has it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pydal import DAL

from backend.database.session import fetch, now, placeholders
from backend.shards import placement

ACTIVE, DRAINING = "active", "draining"
PRIMARY = ""


@dataclass(frozen=True)
class Member:
    """A shard in use.

    Attributes:
        place: grows with each addition.
        state: `active`, or `draining`: it gives its rows away.
        settled: whether every tenant's resting rows are at their home, or still on the primary.
        identity: what its database says of itself.
    """

    name: str
    place: int
    state: str
    settled: int
    identity: str


@dataclass(frozen=True)
class Layout:
    """The shards in use at one moment, by the order of addition."""

    members: tuple[Member, ...] = ()

    @cached_property
    def active(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.members if member.state == ACTIVE)

    @cached_property
    def settled(self) -> bool:
        return all(member.settled for member in self.members)

    def home(self, tenant: str) -> str:
        """Where a tenant's resting rows belong: a shard, or the primary."""
        return placement.home(tenant, self.active)

    def sources(self, tenant: str | None = None) -> list[str]:
        """The databases that may hold rows (of a tenant), in the one order in which rows move from one to another.

        Draining shards give to all others, the primary to active ones, and an active one only to those that came
        after it. Whoever reads in this order meets a moving row at least once.
        """
        if tenant is not None and self.settled:
            return [PRIMARY, self.home(tenant)] if self.active else [PRIMARY]
        draining = [member.name for member in self.members if member.state == DRAINING]
        return [*draining, PRIMARY, *self.active]


def read(db: DAL) -> Layout:
    """The layout that is in force."""
    rows = fetch(db, "SELECT name, place, state, settled, identity FROM shards ORDER BY place")
    return Layout(tuple(Member(**row) for row in rows))


def add(db: DAL, name: str, identity: str) -> None:
    """Put a shard to use."""
    unsettle(db)
    largest = fetch(db, "SELECT COALESCE(MAX(place), 0) AS n FROM shards")[0]["n"]
    sql = "INSERT INTO shards (name, place, state, settled, identity, created_at) VALUES (%s, %s, %s, 0, %s, %s)"
    values = (name, largest + 1, ACTIVE, identity, now().isoformat(" "))
    db.executesql(placeholders(db, sql), placeholders=values)


def drain(db: DAL, name: str) -> None:
    """Let a shard give its rows away; it takes none any more."""
    unsettle(db)
    db.executesql(placeholders(db, "UPDATE shards SET state = %s WHERE name = %s"), placeholders=(DRAINING, name))


def remove(db: DAL, name: str) -> None:
    """Forget a shard."""
    db.executesql(placeholders(db, "DELETE FROM shards WHERE name = %s"), placeholders=(name,))


def unsettle(db: DAL) -> None:
    """Some rows may be away from their home."""
    db.executesql("UPDATE shards SET settled = 0")


def settle(db: DAL, layout: Layout) -> bool:
    """All rows of this layout are at their home; False when it is no longer in force."""
    if read(db) != layout:
        return False
    db.executesql("UPDATE shards SET settled = 1")
    return True
