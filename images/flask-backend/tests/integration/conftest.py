"""Real servers, in containers of the platform's own images; the whole API suite runs on each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "ci"))

from servers import DATABASES, REDIS, ServerContainer

import images


@pytest.fixture(scope="session")
def built_images() -> None:
    """Every image that the tests start, built when its content changed."""
    images.build_all([recipe.image for recipe in (*DATABASES, REDIS)])


@pytest.fixture(scope="session", params=DATABASES, ids=lambda recipe: recipe.image)
def server(request, built_images):
    """A running database server of each kind."""
    with ServerContainer(request.param) as running:
        yield running


@pytest.fixture(scope="session")
def database_settings(server) -> dict:
    return server.settings


@pytest.fixture
def redis_server(built_images):
    """A Redis of this test alone."""
    with ServerContainer(REDIS) as running:
        yield running
