"""Real servers, in containers of the platform's own images; the whole API suite runs on each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "ci"))

from servers import DATABASES, REDIS, ServerContainer


def pytest_addoption(parser) -> None:
    parser.addoption("--kills", type=int, default=3, help="how often a database is killed under load")


def pytest_collection_modifyitems(items) -> None:
    """Keep the tests of one server in one process (pytest-xdist): it is started once and emptied before every test."""
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        server = parameters.get("server")
        group = server.image if server else f"{item.path.stem} {parameters.get('fuzzed')}"
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def kills(request) -> int:
    return request.config.getoption("--kills")


@pytest.fixture(scope="session", params=DATABASES, ids=lambda recipe: recipe.image)
def server(request):
    """A running database server of each kind."""
    with ServerContainer(request.param) as running:
        yield running


@pytest.fixture(scope="session")
def database_settings(server) -> dict:
    return server.settings


@pytest.fixture
def redis_server():
    """A Redis of this test alone."""
    with ServerContainer(REDIS) as running:
        yield running
