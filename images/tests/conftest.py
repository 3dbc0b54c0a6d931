"""Lets the tests import the scripts of `ci/`, and builds the images they start."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ci"))

from containers import Containers
from servers import SERVERS, Server

import images


@pytest.fixture(scope="session")
def references() -> dict[str, str]:
    """Reference of each data image, built when its content changed."""
    images.build_all([server.image for server in SERVERS])
    return {image.name: image.reference for image in images.find_images()}


@pytest.fixture(params=SERVERS, ids=lambda server: server.image, scope="session")
def server(request) -> Server:
    return request.param


@pytest.fixture(params=[server for server in SERVERS if server.scripts], ids=lambda server: server.image)
def scripted(request) -> Server:
    """A server that runs /docker-entrypoint-initdb.d."""
    return request.param


@pytest.fixture
def containers(references):
    """Starts containers and volumes, removed after the test."""
    with Containers(references) as started:
        yield started


@pytest.fixture(scope="session")
def running(references, server):
    """One healthy container of a server, for the tests that only look at it."""
    with Containers(references) as started:
        container = started.run(server)
        container.wait_healthy()
        yield container
