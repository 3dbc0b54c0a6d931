"""Fixtures for every test that talks to the platform on the test cluster (`make test-cluster`, `make test-e2e`)."""

from __future__ import annotations

import pytest

import release
import up
from support import ADMIN, Api


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--base-url", help="browser tests only: a platform in alpha that runs already, instead of the test cluster's"
    )


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
def base_url(request: pytest.FixtureRequest) -> str:
    """Address of the platform under test, as a browser opens it."""
    return request.config.getoption("--base-url") or request.getfixturevalue("platform").url


@pytest.fixture(scope="session")
def admin(base_url: str) -> Api:
    return Api.log_in(base_url, **ADMIN)
