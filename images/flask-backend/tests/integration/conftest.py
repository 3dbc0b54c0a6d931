"""Real servers, in containers of the platform's own images; the whole API suite runs on each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "ci"))

from servers import MARIADB, POSTGRESQL, REDIS, ServerContainer

import images


@pytest.fixture(scope="session")
def built_images() -> None:
    """Every image that the tests start, built when its content changed."""
    images.build_all([POSTGRESQL.image, MARIADB.image, REDIS.image])


@pytest.fixture(scope="session", params=[POSTGRESQL, MARIADB], ids=lambda recipe: recipe.image)
def server(request, built_images):
    """A running database server of each kind."""
    with ServerContainer(request.param) as running:
        yield running


@pytest.fixture(scope="session")
def database_settings(server) -> dict:
    return {
        "db_type": server.recipe.db_type,
        "db_host": "127.0.0.1",
        "db_port": server.port,
        "db_name": "triptych",
        "db_user": "triptych",
        "db_password": server.password,
    }


@pytest.fixture
def redis_server(built_images):
    """A Redis of this test alone."""
    with ServerContainer(REDIS) as running:
        yield running
