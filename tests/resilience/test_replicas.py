"""Two backend replicas act as one: a session ended on one ends on the other, with or without Redis."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

import release
from common import tool
from support import ADMIN, eventually, pods

pytestmark = pytest.mark.functional
MANY_FAILURES = 60


@contextmanager
def forwarded(platform: release.Target, pod: str) -> Iterator[str]:
    """Address on this machine that reaches port 5000 of one pod."""
    command = [tool("kubectl"), "--context", f"kind-{platform.name}", "--namespace", release.NAMESPACE]
    command += ["port-forward", f"pod/{pod}", ":5000", "--address", "127.0.0.1"]
    process = subprocess.Popen(command, env=os.environ | platform.env, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert found, f"kubectl port-forward to {pod} printed {line!r}"
        yield f"http://127.0.0.1:{found[1]}"
    finally:
        process.terminate()
        process.wait()


class Replica:
    """One backend pod; every instance logs in from an address of its own, so that throttles do not mix."""

    def __init__(self, url: str, address: str) -> None:
        self.http = httpx.Client(base_url=f"{url}/api/v1", headers={"X-Forwarded-For": address}, timeout=15)

    def login(self, password: str = ADMIN["password"], email: str = ADMIN["email"]) -> httpx.Response:
        return self.http.post("/auth/login", json={"email": email, "password": password})

    def status_of(self, token: str) -> int:
        return self.http.get("/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code

    def logout(self, token: str) -> None:
        self.http.post("/auth/logout", headers={"Authorization": f"Bearer {token}"}).raise_for_status()


@pytest.fixture(scope="module")
def backends(platform, kube_cluster) -> Iterator[list[str]]:
    """Addresses of two replicas; afterwards there is one again."""
    client = kube_cluster.kube_client

    def ready() -> list[str]:
        running = pods(client, release.NAMESPACE, "flask-backend")
        names = [
            pod.name for pod in running if pod.ready and pod.obj["spec"]["containers"][0]["name"] == "flask-backend"
        ]
        return names if len(names) == 2 else []

    platform.kubectl("scale", "deployment", "flask-backend", "--replicas=2")
    try:
        first, second = eventually(ready, 120, "two backend pods are ready")
        with forwarded(platform, first) as first_url, forwarded(platform, second) as second_url:
            yield [first_url, second_url]
    finally:
        platform.kubectl("scale", "deployment", "flask-backend", "--replicas=1")


@pytest.fixture
def replicas(backends) -> list[Replica]:
    address = f"203.0.113.{secrets.randbelow(250) + 1}"
    return [Replica(url, address) for url in backends]


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
