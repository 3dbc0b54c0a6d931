"""`backend shards`: which databases hold events besides the primary, and what moves between them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from backend.cli_support import load, progress

_DEADLINE_SECONDS = 30
_PAUSE_SECONDS = 2.0
_REPORT_SECONDS = 1.0
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Change nothing: say what would move.")
_WAIT = click.option(
    "--wait", "patience", default=60, show_default=True, help="Seconds to wait while another process moves rows."
)


@click.group("shards")
def shards_command() -> None:
    """Spread the audit log and the events over several databases, by tenant.

    SHARDS names the databases that can be reached; this command puts them to use and takes them out again. It may
    be killed at any moment: nothing is lost, and `backend shards rebalance`, or the running platform, goes on.
    """


@shards_command.command("list")
@click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="json: for programs."
)
def list_command(output: str) -> None:
    """Show the primary and every shard: its state, where it is, and its rows. Exit code 1 when one is not well."""
    from backend.shards.report import report

    with _cluster() as (shards, settings):
        lines = report(shards, settings)
    if output == "json":
        click.echo(json.dumps(lines, indent=2))
    else:
        _print(lines)
    if any(line["problem"] for line in lines):
        raise SystemExit(1)


@shards_command.command("add")
@click.argument("name")
@_DRY_RUN
@_WAIT
@click.option("--take", is_flag=True, help="Its empty database may be marked as a shard that nothing uses any more.")
def add_command(name: str, dry_run: bool, patience: int, take: bool) -> None:
    """Put the shard NAME to use, and move to it what belongs there: one part in n of the tenants.

    First give SHARDS and SHARD_<NAME>_DB_* to every process of the platform.
    """
    from backend.shards import membership
    from backend.shards.registry import ACTIVE

    with _cluster() as (shards, settings):
        if dry_run:
            _preview(shards, membership.considered(shards.layout(), name, ACTIVE))
            return
        membership.add(shards, settings, name, _DEADLINE_SECONDS, progress, take)
        progress(f"{name} is in use")
        _rebalance(shards, patience)


@shards_command.command("rebalance")
@_DRY_RUN
@_WAIT
def rebalance_command(dry_run: bool, patience: int) -> None:
    """Move every row to its home. Harmless when there is nothing to do, and after a kill."""
    with _cluster() as (shards, _):
        if dry_run:
            _preview(shards, shards.layout())
        else:
            _rebalance(shards, patience)


@shards_command.command("drain")
@click.argument("name")
@_DRY_RUN
@_WAIT
def drain_command(name: str, dry_run: bool, patience: int) -> None:
    """Move all rows of the shard NAME to the others, or to the primary when it is the last."""
    from backend.shards import membership
    from backend.shards.registry import DRAINING

    with _cluster() as (shards, _):
        if dry_run:
            _preview(shards, membership.considered(shards.layout(), name, DRAINING))
            return
        membership.drain(shards, name)
        progress(f"{name} takes no rows any more")
        _rebalance(shards, patience)
        progress(f"{name} is empty; now: backend shards remove {name}")


@shards_command.command("remove")
@click.argument("name")
@click.option("--lost", is_flag=True, help="Its database is gone for good: give up the events in it.")
@click.option("--yes", is_flag=True, help="Do not ask before giving up events.")
def remove_command(name: str, lost: bool, yes: bool) -> None:
    """Forget the drained shard NAME. Afterwards take it out of SHARDS."""
    from backend.shards import membership

    if lost and not yes:
        click.confirm(f"This gives up all events that only {name} has. Go on?", abort=True, err=True)
    with _cluster() as (shards, _):
        membership.remove(shards, name, lost)
    progress(f"{name} is not in use any more; take it out of SHARDS")


@contextmanager
def _cluster() -> Iterator[tuple]:
    """The shards and the settings; what goes wrong becomes one line."""
    from backend.database.errors import DatabaseUnavailable
    from backend.database.session import Database
    from backend.shards.cluster import Shards
    from backend.shards.membership import ShardError

    settings = load()
    primary = Database(settings, deadline=_DEADLINE_SECONDS)
    try:
        yield Shards(primary, settings, deadline=_DEADLINE_SECONDS), settings
    except ShardError as error:
        raise click.ClickException(str(error)) from None
    except DatabaseUnavailable as error:
        raise click.ClickException(f"{error}; nothing was lost, try again") from None


def _preview(shards, layout) -> None:
    from backend.shards.mover import make_plan

    plan = make_plan(shards, layout, shards.layout())
    for step in plan.steps:
        names = (step.source or "primary", step.target or "primary")
        click.echo(f"{step.table.name}: {names[0]} → {names[1]}: {step.rows} rows of {len(step.tenants)} tenants")
    share = 100 * plan.moving_rows / plan.rows if plan.rows else 0.0
    rows = f"{plan.moving_rows} of {plan.rows} rows ({share:.1f} %)"
    click.echo(f"would move {rows}, {plan.moving_tenants} of {plan.tenants} tenants")


def _rebalance(shards, patience: int) -> None:
    from backend.shards.mover import LeaseLost, Mover

    reported = 0.0

    def report(moved: int, planned: int) -> None:
        nonlocal reported
        if time.monotonic() - reported >= _REPORT_SECONDS or moved == planned:
            reported = time.monotonic()
            progress(f"{moved} of {planned} rows moved")

    end = time.monotonic() + patience
    while True:
        try:
            moved = Mover(shards, report, progress).run()
            break
        except LeaseLost:
            if time.monotonic() > end:
                raise click.ClickException(f"another process still moves rows after {patience} s; it will end it")
            progress("another process moves rows; waiting for it")
            time.sleep(_PAUSE_SECONDS)
    click.echo(f"moved {moved} rows; all are at their home")


def _print(lines: list[dict]) -> None:
    headers = ("NAME", "STATE", "AUDIT EVENTS", "EVENTS", "ADDRESS")
    table = [headers]
    for line in lines:
        counts = [str(line["rows"].get(name, "-")) for name in ("audit_events", "events")]
        table.append((line["name"], line["state"], *counts, line["address"]))
    widths = [max(len(row[index]) for row in table) for index in range(len(headers))]
    for row in table:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    for line in lines:
        if line["problem"]:
            click.echo(f"{line['name']}: {line['problem']}")
