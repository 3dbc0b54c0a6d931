"""Commands that look after the data: `backend export`, `import`, `doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from backend.cli_support import load, progress


@click.command("export")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--verify", "verify_only", is_flag=True, help="Write nothing: compare the database with the file PATH.")
def export_command(path: Path, verify_only: bool) -> None:
    """Write all data to PATH, one consistent moment of it, and print a hash for each table.

    The file holds gzip-compressed lines of JSON that `backend import` reads on any engine. It contains password
    hashes: only its owner may read it.
    """
    from backend.transfer.dump import TransferError
    from backend.transfer.exporter import export, verify

    try:
        results = (verify if verify_only else export)(load(), path, progress)
    except TransferError as error:
        raise click.ClickException(str(error)) from None
    _print(results)


@click.command("import")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="First delete what the database holds (in the same transaction).")
@click.option("--yes", is_flag=True, help="Do not ask before replacing.")
def import_command(path: Path, replace: bool, yes: bool) -> None:
    """Fill the database from the export PATH, whatever engine it came from, and print a hash for each table.

    The database needs the schema version of the export (`backend migrate --to N`). Everything happens in one
    transaction, which commits only when every table reads back with the hash of the export.
    """
    from backend.transfer.dump import TransferError
    from backend.transfer.importer import import_file

    settings = load()
    if replace and not yes:
        click.confirm("This deletes all data of the database first. Go on?", abort=True, err=True)
    try:
        results = import_file(settings, path, replace, progress)
    except TransferError as error:
        raise click.ClickException(str(error)) from None
    _print(results)


def _print(results) -> None:
    width = max((len(result.table) for result in results), default=0)
    for result in results:
        click.echo(f"{result.table:<{width}}  {result.rows:>9} rows  {result.hash}")


@click.command("doctor")
@click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="json: for programs."
)
def doctor_command(output: str) -> None:
    """Look at configuration, database, schema, modes, clocks, Redis, keys and the Go backend.

    Changes nothing. The exit code is 1 when something is wrong, 2 when the configuration is; warnings are no
    failure.
    """
    from backend.doctor import WRONG, examine

    findings = examine(load())
    if output == "json":
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print_findings(findings)
    if any(finding.state == WRONG for finding in findings):
        raise SystemExit(1)


def _print_findings(findings) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        click.echo(f"{finding.state:<8} {finding.name:<{width}}  {finding.detail}")
        if finding.fix:
            click.echo(f"{'':<9}{'':<{width}}  → {finding.fix}")
