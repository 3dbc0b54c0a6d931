"""Two backend replicas act as one: a session ended on one ends on the other, with or without Redis."""

from __future__ import annotations

import secrets
import time

import pytest
from replica import Replica

import release
from support import eventually, pods

pytestmark = pytest.mark.functional
MANY_FAILURES = 60


def ended_within(replica: Replica, token: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if replica.status_of(token) == 401:
            return True
        time.sleep(0.05)
    return False


def assert_logout_holds_on_both(replicas: list[Replica]) -> None:
    first, second = replicas
    token = first.login().raise_for_status().json()["access_token"]
    assert second.status_of(token) == 200
    first.logout(token)
    assert ended_within(second, token, 1.0)


def count_together(replicas: list[Replica]) -> bool:
    """Whether failures on one replica until it refuses to try count on the other, which has seen none."""
    first, second = replicas
    email = f"stranger-{secrets.token_hex(4)}@example.com"
    for _ in range(MANY_FAILURES):
        if first.login("not the password", email).status_code == 429:
            return second.login("not the password", email).status_code == 429
    return False


def test_a_logout_on_one_replica_is_refused_by_the_other(replicas):
    assert_logout_holds_on_both(replicas)


def test_failures_on_all_replicas_count_together(replicas):
    assert count_together(replicas)


def test_without_redis_logins_go_on_and_revocations_hold(platform, replicas, kube_cluster):
    platform.kubectl("scale", "statefulset", "redis", "--replicas=0")
    try:
        eventually(lambda: not pods(kube_cluster.kube_client, release.NAMESPACE, "redis"), 60, "Redis is gone")
        assert_logout_holds_on_both(replicas)
    finally:
        platform.kubectl("scale", "statefulset", "redis", "--replicas=1")
    platform.kubectl("rollout", "status", "statefulset/redis", "--timeout=120s")
    eventually(lambda: count_together(replicas), 60, "failures on all replicas count together again")
