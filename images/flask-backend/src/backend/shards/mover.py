"""Moves rows to their home: copied, then deleted, so that a kill at any moment loses none and the next run ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import structlog

from backend.database.session import Database
from backend.jobs import leases
from backend.shards import registry
from backend.shards.cluster import Shards
from backend.shards.registry import PRIMARY, Layout
from backend.shards.tables import TABLES, ShardedTable

log = structlog.get_logger(__name__)
BATCH = 500
_TENANTS = 100
LEASE = "shards"
LEASE_SECONDS = 30
_RENEW_SECONDS = 5.0


class LeaseLost(Exception):
    """Another process moves rows."""


class LayoutChanged(Exception):
    """Shards were added or taken away while rows moved: plan anew."""


@dataclass(frozen=True)
class Step:
    """Rows of one table that go from one database to another."""

    table: ShardedTable
    source: str
    target: str
    tenants: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class Plan:
    """What has to move.

    Attributes:
        rows, tenants: all that were looked at, moving or not.
    """

    steps: list[Step]
    rows: int
    tenants: int

    @property
    def moving_rows(self) -> int:
        return sum(step.rows for step in self.steps)

    @property
    def moving_tenants(self) -> int:
        return len({tenant for step in self.steps for tenant in step.tenants})


def make_plan(shards: Shards, layout: Layout, current: Layout | None = None) -> Plan:
    """What has to move so that all rows are as `layout` says.

    Args:
        current: the layout in force, when `layout` is only considered.

    Raises:
        DatabaseUnavailable: a database did not answer.
    """
    steps, rows, tenants = [], 0, set()
    # Once settled, only what was born since is away from its home.
    sources = [PRIMARY] if layout.settled and layout.active else (current or layout).sources()
    for source in sources:
        database = shards.database(source, current or layout)
        for table in TABLES:
            census = shards.ask(source, database, lambda own, table=table: own.read(table.census))
            rows, tenants = rows + sum(census.values()), tenants | census.keys()
            steps += _steps(layout, source, table, census)
    return Plan(steps, rows, len(tenants))


def _steps(layout: Layout, source: str, table: ShardedTable, census: dict[str, int]) -> list[Step]:
    moving: dict[str, list[str]] = {}
    for tenant in sorted(census):
        target = layout.home(tenant)
        if target != source:
            moving.setdefault(target, []).append(tenant)
    return [
        Step(table, source, target, tuple(part), sum(census[tenant] for tenant in part))
        for target, tenants in sorted(moving.items())
        for part in _parts(tenants, _TENANTS)
    ]


class Mover:
    """One process that moves rows; a lease lets one at a time do so.

    Args:
        on_rows: called with (moved so far, planned) after each batch.
        on_step: called with a line before each step.
    """

    def __init__(
        self,
        shards: Shards,
        on_rows: Callable[[int, int], None] = lambda moved, planned: None,
        on_step: Callable[[str], None] = lambda line: None,
    ):
        self._shards = shards
        self._on_rows, self._on_step = on_rows, on_step
        self._holder = leases.holder_name()
        self._renewed_at = 0.0
        self._moved = 0

    def run(self) -> int:
        """Move everything to its home and return the number of rows that moved.

        Raises:
            LeaseLost: another process is at it.
            DatabaseUnavailable: a database did not answer; what was moved stays so.
        """
        self._moved = 0
        try:
            while not self._pass():
                pass
        finally:
            self._give_back()
        return self._moved

    def _pass(self) -> bool:
        """Move what a plan says; False when there is more to do, as the layout changed meanwhile."""
        self._hold()
        layout = self._shards.layout()
        self._shards.verify(layout)
        try:
            for target in layout.sources():
                for table in TABLES:
                    self._finish_arrivals(layout, target, table)
            plan = make_plan(self._shards, layout)
            for step in plan.steps:
                self._move(layout, step, plan.moving_rows)
        except LayoutChanged:
            return False
        if layout.settled:
            return True
        return self._shards.primary.write(lambda db: registry.settle(db, layout))

    def _move(self, layout: Layout, step: Step, planned: int) -> None:
        source, target = (self._shards.database(name, layout) for name in (step.source, step.target))
        self._on_step(f"{step.table.name}: {_title(step.source)} → {_title(step.target)}, {step.rows} rows")
        while True:
            self._check(layout)
            rows = self._shards.ask(
                step.source, source, lambda own: own.read(lambda db: step.table.batch(db, list(step.tenants), BATCH))
            )
            if not rows:
                return
            self._write(step.target, target, lambda db, rows=rows: step.table.store(db, rows, step.source))
            self._finish_arrivals(layout, step.target, step.table)
            self._moved += len(rows)
            self._on_rows(self._moved, max(planned, self._moved))

    def _finish_arrivals(self, layout: Layout, target: str, table: ShardedTable) -> None:
        """Delete at their source what is at `target` for certain; also what a killed process left so."""
        database = self._shards.database(target, layout)
        arrivals = self._shards.ask(target, database, lambda own: own.read(table.arrivals))
        known = {PRIMARY, *(member.name for member in layout.members)}
        for source, ids in arrivals.items():
            for part in _parts(ids, BATCH):
                if source in known:
                    own = self._shards.database(source, layout)
                    self._write(source, own, lambda db, part=part: table.delete(db, part))
                self._write(target, database, lambda db, part=part: table.confirm(db, part))

    def _write(self, name: str, database: Database, work: Callable) -> None:
        # A process that slept must not go on with what it knew before.
        self._hold()

        # Everything that moves rows may happen twice: a commit of which nobody knows is repeated.
        def repeated(own: Database) -> None:
            own.retrying(lambda: own.once(work, write=True), repeat_unknown=True)

        self._shards.ask(name, database, repeated)

    def _check(self, layout: Layout) -> None:
        self._hold()
        if self._shards.layout() != layout:
            raise LayoutChanged

    def _hold(self) -> None:
        if time.monotonic() - self._renewed_at < _RENEW_SECONDS:
            return
        if not leases.acquire(self._shards.primary, LEASE, self._holder, LEASE_SECONDS):
            raise LeaseLost
        self._renewed_at = time.monotonic()

    def _give_back(self) -> None:
        if self._renewed_at:
            self._renewed_at = 0.0
            leases.release(self._shards.primary, LEASE, self._holder)


def move_in_background(shards: Shards) -> None:
    """One turn of the loop that brings new rows, and what a killed command left, to their shards."""
    if not shards.layout().members:
        return
    try:
        moved = Mover(shards).run()
    except LeaseLost:
        return
    if moved:
        log.info("events moved to their shards", rows=moved)


def _title(source: str) -> str:
    return source or "primary"


def _parts(values: Sequence, length: int) -> Iterator[Sequence]:
    return (values[start : start + length] for start in range(0, len(values), length))
