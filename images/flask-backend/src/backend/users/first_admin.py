"""Admins made from the command line: the first one, and more on demand."""

from __future__ import annotations

from collections.abc import Callable

import click

from backend.auth.password_rules import check_password
from backend.auth.passwords import PasswordHasher
from backend.config import Settings
from backend.database.errors import DatabaseUnavailable
from backend.database.session import Database, fetch
from backend.permissions import ADMIN
from backend.problems import Problem
from backend.users import service
from backend.users.schemas import UserCreateSchema


def create_first_admin(settings: Settings, progress: Callable[[str], None]) -> None:
    """Create the admin of `FIRST_ADMIN_*` when there is no user at all.

    Raises:
        click.ClickException: the database went away.
    """
    database = Database(settings, deadline=30)
    try:
        if database.read(lambda db: fetch(db, "SELECT id FROM users LIMIT 1")):
            progress("there are users already; no first admin needed")
            return
        if settings.first_admin_password is None:
            progress("there is no user and no FIRST_ADMIN_PASSWORD; make one with: backend create-admin")
            return
        _insert(
            database,
            settings,
            {
                "email": settings.first_admin_email,
                "full_name": "Administrator",
                "role": ADMIN,
                "password": settings.first_admin_password.get_secret_value(),
                "must_change_password": settings.first_admin_changes_password,
            },
        )
        progress(f"created the first admin {settings.first_admin_email}")
    except Problem as problem:
        if problem.code != 409:
            raise click.ClickException(problem.description) from None
        progress("another process created the first admin")
    except DatabaseUnavailable as error:
        raise click.ClickException(f"the database is unavailable: {error}") from None


def create_admin(settings: Settings, email: str, full_name: str, tenant: str, password: str) -> None:
    """Create an admin. Raises `click.ClickException` with one line when a value is refused."""
    body = {"email": email, "full_name": full_name, "role": ADMIN, "tenant": tenant, "password": password}
    errors = UserCreateSchema().validate(body)
    if errors:
        field, messages = next(iter(errors.items()))
        raise click.ClickException(f"{field}: {messages[0]}")
    try:
        check_password(settings, password, email, full_name)
        _insert(Database(settings, deadline=10), settings, body)
    except Problem as problem:
        raise click.ClickException(problem.description) from None
    except DatabaseUnavailable as error:
        raise click.ClickException(f"the database is unavailable: {error}") from None


def _insert(database: Database, settings: Settings, body: dict) -> None:
    service.insert_user(database, PasswordHasher(settings.password_hash_cost), **body, is_active=True)
