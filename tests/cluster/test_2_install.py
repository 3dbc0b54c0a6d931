"""The platform that `make up` installs: complete, the same after a second `make up`, usable by role."""

from __future__ import annotations

import os
import subprocess

import httpx
import pytest

import release
import up
from common import tool
from support import FAST_PATH_LABELS, Api, eventually, fingerprint, lasting

pytestmark = pytest.mark.smoke


def secrets(target: release.Target) -> str:
    """Name and version of every Secret: a changed one has another version."""
    columns = "custom-columns=NAME:.metadata.name,VERSION:.metadata.resourceVersion,TYPE:.type"
    listed = target.kubectl("get", "secrets", "--output", columns, "--no-headers").splitlines()
    return "\n".join(line for line in listed if "helm.sh/release" not in line)


def test_every_pod_is_ready(platform, kube_cluster):
    def ready() -> bool:
        running = lasting(kube_cluster.kube_client, release.NAMESPACE)
        return bool(running) and all(pod.ready for pod in running)

    eventually(ready, 60, "every pod is ready")


def test_every_component_is_healthy(admin: Api):
    parts = ("flask-backend", "database", "redis", "go-backend")
    eventually(lambda: admin.components() == dict.fromkeys(parts, "healthy"), 60, "every component is healthy")


def test_the_fast_path_runs_on_the_labelled_node_only(platform, kube_cluster, admin: Api):
    [pod] = lasting(kube_cluster.kube_client, release.NAMESPACE, "go-backend")
    node = platform.kubectl("get", "node", pod.obj["spec"]["nodeName"], "--output", "jsonpath={.metadata.labels}")
    assert all(f'"{label}":"{value}"' in node for label, value in FAST_PATH_LABELS.items())

    def reported() -> list[str]:
        return [node["node"] for node in admin.status()["fast_path"]["nodes"]]

    eventually(lambda: reported() == [pod.obj["spec"]["nodeName"]], 30, "the status names that node")


def test_the_fast_path_counts_traffic_in_a_real_xdp_mode(admin: Api):
    def packets() -> int:
        [node] = admin.status()["fast_path"]["nodes"]
        assert node["xdp_mode"] in ("native", "generic"), node["reason"]
        return sum(counter["packets"] for counter in node["counters"])

    before = eventually(packets, 30, "packets are counted")
    eventually(lambda: packets() > before, 30, "the packet counters rise")


def test_a_second_make_up_changes_nothing(platform, kube_cluster):
    before = fingerprint(kube_cluster.kube_client, release.NAMESPACE), secrets(platform), release.status(platform)
    up.up(platform)
    after = fingerprint(kube_cluster.kube_client, release.NAMESPACE), secrets(platform), release.status(platform)
    assert before == after


def test_an_upgrade_without_change_restarts_no_pod(platform, kube_cluster):
    before = fingerprint(kube_cluster.kube_client, release.NAMESPACE), secrets(platform)
    platform.helm(
        "upgrade", release.RELEASE, str(release.ROOT), *release.value_arguments(), "--wait", "--timeout", "5m"
    )
    assert (fingerprint(kube_cluster.kube_client, release.NAMESPACE), secrets(platform)) == before


def test_an_interrupted_upgrade_is_mended(platform):
    """A helm killed half-way leaves a pending record, and Helm refuses to go on; `make up` gets past it."""
    upgrade = [
        tool("helm"), "--kube-context", f"kind-{platform.name}", "--namespace", release.NAMESPACE,
        "upgrade", release.RELEASE, str(release.ROOT), *release.value_arguments(),
        "--set", "webui.image.tag=absent", "--wait", "--timeout", "5m",
    ]  # fmt: skip
    helm = subprocess.Popen(upgrade, env=os.environ | platform.env, stdout=subprocess.DEVNULL)
    eventually(lambda: release.status(platform)[0] == "pending-upgrade", 60, "the upgrade starts")
    helm.kill()
    helm.wait()
    up.up(platform)
    assert release.status(platform)[0] == "deployed"


def test_a_viewer_reads_status_but_no_users(platform, admin: Api):
    viewer = admin.create_user("cluster-viewer@example.com", "viewer")
    try:
        api = Api.log_in(platform.url, viewer["email"], "correct horse battery")
        assert api.http.get("/status").status_code == 200
        refused = api.http.get("/users")
        assert refused.status_code == 403
        assert refused.headers["content-type"].startswith("application/problem+json")
    finally:
        admin.delete_user(viewer)


def test_a_wrong_password_is_refused(platform):
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        Api.log_in(platform.url, up.ADMIN["email"], "not the password")


def test_the_smoke_test_passes(platform):
    assert "Phase:          Succeeded" in platform.helm("test", release.RELEASE, "--timeout", "3m")
