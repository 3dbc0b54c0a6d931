"""Export and import on real servers: every engine to SQLite and back, and once through all of them."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from api_client import ApiClient, make_settings, reset
from servers import DATABASES, ServerContainer
from transfer_data import fill
from unit.test_transfer import *

from backend.app import create_app
from backend.database.migrate import migrate


@pytest.fixture
def engines():
    """Settings of one empty, migrated database per engine."""
    with ExitStack() as stack:
        made = {}
        for recipe in DATABASES:
            running = stack.enter_context(ServerContainer(recipe))
            made[recipe.image] = make_settings(**running.settings)
            migrate(made[recipe.image], 60, quiet)
        yield made


def test_through_every_server_and_back(engines, tmp_path):
    first = create_app(engines["postgresql"])
    reset(first)
    gone = fill(first, ApiClient(first).login("admin@example.com", "admin"))
    path = tmp_path / "start.gz"
    results = export(engines["postgresql"], path, quiet)
    for name in ("mariadb", "mysql", "postgresql"):
        assert import_file(engines[name], path, name == "postgresql", quiet) == results
        path = tmp_path / f"{name}.gz"
        assert export(engines[name], path, quiet) == results
    for result in results:
        print(f"{result.table} {result.rows} {result.hash}")
    client = ApiClient(create_app(engines["mysql"])).login("admin@example.com", "admin")
    assert client.create_user(email="after@example.com")["id"] > gone
