"""Runs the checks; one that cannot even run is a finding, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backend.config import Settings
from backend.database import errors

OK, WARNING, WRONG = "ok", "warning", "wrong"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        name: what was looked at.
        state: `ok`, `warning` or `wrong`.
        detail: what was found.
        fix: what to do; empty when all is well.
    """

    name: str
    state: str
    detail: str
    fix: str = ""


def examine(settings: Settings) -> list[Finding]:
    """All findings about the backend of these settings. Changes nothing."""
    from backend.app import build_services
    from backend.doctor import audit_guard, database, surroundings

    services = build_services(settings)
    findings = [Finding("configuration", OK, f"{settings.environment}, {settings.db_type}")]
    findings += _run(database.database, services)
    if findings[-1].state == OK:
        for check in (*database.CHECKS, *audit_guard.CHECKS):
            findings += _run(check, services)
    for check in surroundings.CHECKS:
        findings += _run(check, services)
    return findings


def _run(check: Callable, services) -> Iterator[Finding]:
    try:
        yield from check(services)
    except Exception as error:
        if not errors.unavailable(error) and not isinstance(error, errors.DatabaseUnavailable):
            raise
        text = errors.summary(error) if errors.of_driver(error) else str(error)
        fix = "start the database, or mend DB_*; then run this again for all that depends on it"
        yield Finding(check.__name__.replace("_", " "), WRONG, text, fix)
