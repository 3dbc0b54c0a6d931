"""Fixtures for every test that talks to the platform on the test cluster (`make test-cluster`, `make test-e2e`)."""

from __future__ import annotations

import pytest

import release
import up
from support import ADMIN, Api


@pytest.fixture(scope="session")
def target() -> release.Target:
    """The cluster under test; `ci/test.py` made it and loaded the images."""
    return release.TEST


@pytest.fixture(scope="session")
def platform(target: release.Target) -> release.Target:
    """The test cluster with the platform installed just as `make up` installs it."""
    up.up(target)
    return target


@pytest.fixture(scope="session")
def admin(platform: release.Target) -> Api:
    return Api.log_in(platform.url, **ADMIN)
