"""Reads on a streaming replica: used when it has caught up, passed over when it lags or is away."""

from __future__ import annotations

import time

import pytest
from api_client import ApiClient, make_settings, reset
from replicas import REPLICATIONS, ReplicaContainer
from servers import ServerContainer

from backend.app import create_app
from backend.database import replica as replica_module
from backend.database.migrate import migrate
from backend.database.session import fetch, placeholders


@pytest.fixture(scope="module", params=REPLICATIONS.values(), ids=REPLICATIONS.keys())
def replication(request):
    return request.param


@pytest.fixture(scope="module")
def pair(replication):
    """A primary and its replica."""
    with (
        ServerContainer(replication.recipe, replication.primary_arguments, replica=True) as primary,
        ReplicaContainer(primary, replication) as replica,
    ):
        yield primary, replica


@pytest.fixture(scope="module")
def replicated_app(pair):
    primary, _ = pair
    address = {"db_replica_host": "127.0.0.1", "db_replica_port": primary.replica_port}
    settings = make_settings(**primary.settings, **address)
    migrate(settings, 60, lambda line: None)
    app = create_app(settings)
    reset(app)
    return app


@pytest.fixture
def database(replicated_app, replication, monkeypatch):
    """The database, once its replica answers."""
    # On a busy machine it may be slower than reads wait for it; the tests are about what follows from either.
    monkeypatch.setattr(replica_module, "CATCH_UP_SECONDS", 2.0)
    database = replicated_app.extensions["backend"].database
    wait_for(lambda: port(database, replication) == replication.recipe.replica_port)
    database.replica.outcomes.clear()
    return database


def port(database, replication) -> int:
    """Port of the server that answers a read which may use the replica."""
    return database.read(lambda db: db.executesql(replication.server)[0][0], replica=True)


def wait_for(condition, timeout: float = 90) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def write(database, name: str) -> None:
    sql = "UPDATE users SET full_name = %s WHERE email = 'admin@example.com'"
    database.write(lambda db: db.executesql(placeholders(db, sql), placeholders=(name,)))


def read(database) -> str:
    sql = "SELECT full_name FROM users WHERE email = 'admin@example.com'"
    return database.read(lambda db: fetch(db, sql)[0]["full_name"], replica=True)


def test_only_reads_that_say_so(database, replication):
    assert database.read(lambda db: db.executesql(replication.server)[0][0]) == replication.recipe.container_port
    assert port(database, replication) == replication.recipe.replica_port


def test_everybody_reads_what_was_written(database):
    for number in range(200):
        write(database, f"name {number}")
        assert read(database) == f"name {number}"
    assert database.replica.outcomes["replica"] > 100, database.replica.outcomes
    assert database.replica.outcomes.total() == 200


def test_a_replica_that_lags_is_passed_over(database, pair, replication):
    _, replica = pair
    replica.pause()
    try:
        write(database, "newest")
        assert read(database) == "newest"
        assert port(database, replication) == replication.recipe.container_port
        assert database.replica.outcomes["lagging"] == 2
    finally:
        replica.resume()
    wait_for(lambda: port(database, replication) == replication.recipe.replica_port)


def test_a_replica_that_is_away_is_passed_over_and_found_again(database, pair, replication, monkeypatch):
    monkeypatch.setattr(replica_module, "AWAY_SECONDS", 1.0)
    _, replica = pair
    replica.stop()
    started = time.monotonic()
    write(database, "newest")
    for _ in range(20):
        assert read(database) == "newest"
    assert time.monotonic() - started < 15
    assert database.replica.outcomes["away"] == 20
    replica.start()
    wait_for(lambda: port(database, replication) == replication.recipe.replica_port)


def test_the_endpoints_that_use_it(database, replicated_app):
    admin = ApiClient(replicated_app).login("admin@example.com", "admin")
    for number in range(20):
        email = admin.create_user(email=f"seen{number}@example.com")["email"]
        assert email in admin.get("/api/v1/users?per_page=100").text
        assert email in admin.get("/api/v1/audit?limit=200").text
    assert database.replica.outcomes["replica"] > 20, database.replica.outcomes
    assert "users.create" in admin.get("/api/v1/audit/export").text
