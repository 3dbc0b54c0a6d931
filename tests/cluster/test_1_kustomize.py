"""`kubectl apply -k overlays/alpha` on an empty cluster ends in the same platform as Helm's. Runs before the install."""

from __future__ import annotations

import pytest

import release
import up
from common import ROOT
from support import Api, eventually, wait_until_ready

pytestmark = pytest.mark.functional


@pytest.fixture(scope="module")
def applied(target: release.Target, kube_cluster):
    """The overlay, applied twice (the second time must be accepted), and removed afterwards."""
    if release.status(target)[0] != "absent":
        target.helm("uninstall", release.RELEASE, "--wait")
    target.kubectl("delete", "namespace", release.NAMESPACE, "--ignore-not-found", "--wait")
    for _ in range(2):
        target.kubectl("apply", "--kustomize", ROOT / "overlays" / "alpha")
    release.apply_local_access(target)
    yield kube_cluster.kube_client
    target.kubectl("delete", "namespace", release.NAMESPACE, "--wait")


def test_every_workload_becomes_ready(applied):
    wait_until_ready(applied, release.NAMESPACE, 300)


def test_the_admin_logs_in_and_every_component_is_healthy(applied, target):
    up.log_in(target.url)
    api = Api.log_in(target.url, **up.ADMIN)
    eventually(lambda: set(api.components().values()) == {"healthy"}, 60, "every component is healthy")
