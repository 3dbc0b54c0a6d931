"""Redis is there, goes, and comes back: logins go on, revocations hold, throttles work."""

from __future__ import annotations

import time

import pytest
from api_client import ApiClient, assert_problem, make_settings, reset

from backend.app import create_app
from backend.auth import counters, throttle
from backend.status.traffic import STEP_SECONDS, STEPS, Traffic


@pytest.fixture
def replicas(migrated_app, database_settings, redis_server):
    """Two applications on one database and one Redis."""
    redis = {"redis_host": "127.0.0.1", "redis_port": redis_server.port, "redis_password": redis_server.password}
    reset(migrated_app)
    first = make_settings(**database_settings, **redis)
    made = [create_app(first), create_app(first)]
    made[1].extensions["backend"].tokens.__dict__.update(made[0].extensions["backend"].tokens.__dict__)
    return made


def guess(app, password: str = "wrong"):
    return ApiClient(app).post("/api/v1/auth/login", json={"email": "admin@example.com", "password": password})


def test_throttle_counts_across_replicas(replicas):
    for number in range(throttle.PAIR_LIMIT):
        assert_problem(guess(replicas[number % 2]), 401)
    for app in replicas:
        assert_problem(guess(app, "admin"), 429)


def test_away_and_back(replicas, redis_server, monkeypatch):
    monkeypatch.setattr(counters, "REDIS_PAUSE_SECONDS", 0.5)
    one, two = replicas
    session = ApiClient(one).login("admin@example.com", "admin")
    elsewhere = ApiClient(two)
    elsewhere.tokens = session.tokens
    assert elsewhere.get("/readyz").json["checks"]["redis"]["status"] == "ok"
    redis_server.stop()
    ready = elsewhere.get("/readyz")
    assert ready.status_code == 200
    assert ready.json["checks"]["redis"]["status"] == "unavailable"
    status = elsewhere.get("/api/v1/status").json
    assert {part["name"]: part["status"] for part in status["components"]}["redis"] == "unavailable"
    assert guess(one, "admin").status_code == 200
    assert session.post("/api/v1/auth/logout").status_code == 204
    assert_problem(elsewhere.get("/api/v1/auth/me"), 401)
    for _ in range(throttle.PAIR_LIMIT):
        assert_problem(guess(one), 401)
    assert_problem(guess(one), 429)
    redis_server.start()
    redis_server.wait_healthy()
    fresh = ApiClient(two).login("admin@example.com", "admin")
    assert {part["name"]: part["status"] for part in fresh.get("/api/v1/status").json["components"]}[
        "redis"
    ] == "healthy"


def test_replicas_add_their_traffic_up(replicas):
    clock = [time.time()]
    one, two = (app.extensions["backend"].metrics for app in replicas)
    for metrics in (one, two):
        metrics.traffic = Traffic(metrics.traffic._redis, lambda: clock[0])
    for metrics in (one, two, two):
        metrics.traffic.count("requests")
    clock[0] += STEP_SECONDS
    for metrics in (one, two):
        metrics.traffic.count("requests")
        metrics.traffic._writer.submit(lambda: None).result(timeout=5)
    document = one.traffic.recent()
    assert document["scope"] == "platform"
    assert document["points"][-1]["requests"] == 3
    assert len(document["points"]) == STEPS
