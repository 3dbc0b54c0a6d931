"""Requests and logins by the step, of one replica and of several that share a Redis."""

from __future__ import annotations

import pytest
from api_client import ApiClient
from redis import RedisError

from backend.status import traffic
from backend.status.traffic import STEP_SECONDS, STEPS, Traffic


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def step(self) -> None:
        self.now += STEP_SECONDS


@pytest.fixture
def clock():
    return Clock()


def sums(document: dict) -> dict:
    return {name: sum(point[name] for point in document["points"]) for name in traffic.COUNTED}


def test_a_step_is_shown_when_it_is_over(clock):
    counted = Traffic(None, clock)
    counted.count("requests", "failures")
    assert counted.recent()["points"] == []
    clock.step()
    document = counted.recent()
    assert (document["scope"], document["step_seconds"]) == ("replica", STEP_SECONDS)
    assert [point["at"].timestamp() for point in document["points"]] == [1_000_000.0]
    assert sums(document) == {"requests": 1, "failures": 1, "logins": 0, "refused_logins": 0}


def test_quiet_steps_are_zeroes_and_old_ones_are_forgotten(clock):
    counted = Traffic(None, clock)
    counted.count("requests")
    for _ in range(STEPS):
        clock.step()
    assert [point["requests"] for point in counted.recent()["points"]] == [1] + [0] * (STEPS - 1)
    clock.step()
    counted.count("requests")
    assert sums(counted.recent())["requests"] == 0
    assert len(counted._own) == 1


class BrokenRedis:
    def pipeline(self, transaction):
        return self

    def __getattr__(self, name):
        return lambda *args: None

    def execute(self):
        raise RedisError("away")


def test_without_its_redis_a_replica_shows_its_own(clock):
    counted = Traffic(BrokenRedis(), clock)
    for _ in range(3):
        counted.count("requests")
        clock.step()
    document = counted.recent()
    assert (document["scope"], sums(document)["requests"]) == ("replica", 3)


def test_requests_and_logins_of_the_api_are_counted_and_probes_are_not(app, services, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(services.metrics, "traffic", Traffic(None, clock))
    client = ApiClient(app).login("admin@example.com", "admin")
    ApiClient(app).post("/api/v1/auth/login", json={"email": "admin@example.com", "password": "wrong"})
    client.get("/healthz")
    client.get("/api/v1/no-such-thing")
    clock.step()
    document = client.get("/api/v1/status/traffic").json
    assert document["points"][-1]["at"].endswith("Z")
    assert sums(document) == {"requests": 2, "failures": 0, "logins": 1, "refused_logins": 1}
