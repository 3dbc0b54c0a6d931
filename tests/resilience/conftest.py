"""Two replicas of the backend, each reached by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from replica import Replica

import release
from support import eventually, forwarded, lasting, new_prefix


@pytest.fixture(scope="module")
def backends(platform, kube_cluster) -> Iterator[list[str]]:
    """Addresses of two replicas; afterwards there is one again."""
    client = kube_cluster.kube_client

    def ready() -> list[str]:
        names = [pod.name for pod in lasting(client, release.NAMESPACE, "flask-backend") if pod.ready]
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
    """From a network that nobody has used: throttles remember one for ten minutes."""
    address = new_prefix().replace("::/64", "::1")
    return [Replica(url, address) for url in backends]
