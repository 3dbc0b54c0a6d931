"""What the modules of the command line share."""

from __future__ import annotations

import click


def load():
    """Settings from the environment, and the log set up as they say."""
    from backend.config import load_settings
    from backend.logs import configure_logging

    settings = load_settings()
    configure_logging(settings.log_level)
    return settings


def progress(line: str) -> None:
    """One line for the person who waits."""
    click.echo(line, err=True)
