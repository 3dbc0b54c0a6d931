"""Fixtures of the API tests: one application per database engine, emptied before every test."""

from __future__ import annotations

import pytest
from api_client import ApiClient, make_settings, reset

from backend.app import create_app
from backend.database.migrate import migrate

# Limits that spare people a wait. On a busy machine they would end what is only slow: tests of a limit set their own.
PATIENCE = (
    "backend.app.REDIS_TIMEOUT_SECONDS",
    "backend.guard.client.DEADLINE_SECONDS",
    "backend.ingest.client.DEADLINE_SECONDS",
    "backend.shards.health.WAIT_SECONDS",
    "backend.status.fast_path.DEADLINE_SECONDS",
    "backend.status.service.BOUND_SECONDS",
)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    for name in PATIENCE:
        monkeypatch.setattr(name, 10.0)


@pytest.fixture(scope="session")
def database_settings(tmp_path_factory) -> dict:
    """Settings of the database under test; the integration tests replace this one by real servers."""
    return {"db_type": "sqlite", "db_sqlite_path": tmp_path_factory.mktemp("sqlite") / "test.db"}


@pytest.fixture(scope="session")
def settings(database_settings):
    return make_settings(**database_settings)


@pytest.fixture(scope="session")
def migrated_app(settings):
    migrate(settings, timeout=60, progress=lambda line: None)
    return create_app(settings)


@pytest.fixture
def app(migrated_app):
    reset(migrated_app)
    return migrated_app


@pytest.fixture
def services(app):
    return app.extensions["backend"]


@pytest.fixture
def anonymous(app) -> ApiClient:
    return ApiClient(app)


@pytest.fixture
def admin(app) -> ApiClient:
    return ApiClient(app).login("admin@example.com", "admin")


@pytest.fixture
def as_role(app, admin):
    """A function that returns a client signed in with a role."""

    def make(role: str) -> ApiClient:
        if role == "admin":
            return admin
        email = f"{role}@example.com"
        admin.create_user(email=email, role=role)
        return ApiClient(app).login(email, "password of a user")

    return make
