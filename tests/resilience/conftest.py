"""Two replicas of the backend, each reached by itself."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from replica import Replica

import release
from support import eventually, forwarded, pods


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
        with forwarded(platform, first, 5000) as one, forwarded(platform, second, 5000) as two:
            yield [f"http://127.0.0.1:{port}" for port in (one, two)]
    finally:
        platform.kubectl("scale", "deployment", "flask-backend", "--replicas=1")


@pytest.fixture
def replicas(backends) -> list[Replica]:
    address = f"203.0.113.{secrets.randbelow(250) + 1}"
    return [Replica(url, address) for url in backends]
