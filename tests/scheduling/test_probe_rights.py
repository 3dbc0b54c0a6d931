"""The probe on a real API server: what it labels, whose labels win, and that its token is good for nothing else."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from control_plane import ControlPlane

from cluster import reserve_hugepages
from common import ROOT, output, tool
from support import eventually

NAMESPACE = "probe"
ACCOUNT = "demo-go-backend-probe"
OWN, OTHER = "probed", "another"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
EXPECTED = {"triptych.dev/hugepages-2Mi", "triptych.dev/xdp", "triptych.dev/af-xdp", "triptych.dev/numa-nodes"}


@pytest.fixture(scope="module")
def installed(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The probe's service account, role and admission policy, and two nodes; its pods would only fill them."""
    rendered = output(
        tool("helm"), "template", "demo", ROOT, "--namespace", NAMESPACE, "--set", "global.goBackend.enabled=true",
        "--set", "go-backend.probe.enabled=true", "--show-only", "charts/go-backend/templates/probe.yaml",
    )  # fmt: skip
    rights = [item for item in yaml.safe_load_all(rendered) if item["kind"] != "DaemonSet"]
    offered = {"cpu": "8", "memory": "32Gi", "pods": "110", "hugepages-2Mi": "64Mi"}
    control_plane.create_nodes(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name},
            "status": {"capacity": offered, "allocatable": offered},
        }
        for name in (OWN, OTHER)
    )
    reserve_hugepages()  # the probe counts this machine's, which has none after its start
    control_plane.kubectl("create", "namespace", NAMESPACE)
    control_plane.kubectl("apply", "--namespace", NAMESPACE, "--filename", "-", input=yaml.safe_dump_all(rights))
    yield control_plane
    # Labelled as they are now, they would run a pod of whoever installs the fast path next.
    control_plane.kubectl("delete", "nodes", OWN, OTHER)


@pytest.fixture(scope="module")
def token(installed: ControlPlane) -> str:
    """A token as the kubelet of the node `OWN` gets it for the probe's pod."""
    with installed.client() as client:
        node = client.get(f"/api/v1/nodes/{OWN}").raise_for_status().json()["metadata"]
        bound = {"apiVersion": "v1", "kind": "Node", "name": OWN, "uid": node["uid"]}
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"boundObjectRef": bound}}
        issued = client.post(path, json=body).raise_for_status().json()["status"]["token"]
    # An API server takes up a new policy some seconds after it was created.
    eventually(lambda: is_refused(installed, issued), 180, "the admission policy is in force")
    return issued


def is_refused(control_plane: ControlPlane, token: str) -> bool:
    """Whether the token may not label another node; nothing is stored."""
    body = {"metadata": {"labels": {"triptych.dev/xdp": "native"}}}
    with control_plane.client(token) as client:
        headers, parameters = {"Content-Type": MERGE}, {"dryRun": "All"}
        return client.patch(f"/api/v1/nodes/{OTHER}", json=body, headers=headers, params=parameters).status_code == 422


def labels(control_plane: ControlPlane, node: str = OWN) -> dict[str, str]:
    """The node's labels of this platform."""
    with control_plane.client() as client:
        metadata = client.get(f"/api/v1/nodes/{node}").raise_for_status().json()["metadata"]
    return {key: value for key, value in metadata.get("labels", {}).items() if key.startswith("triptych.dev/")}


@pytest.fixture
def probe(installed: ControlPlane, token: str, go_backend: Path, tmp_path: Path):
    """Runs the real probe for the node `OWN`, with what its pod is given."""
    (tmp_path / "token").write_text(token)
    (tmp_path / "ca.crt").write_text(installed.authority.read_text())

    def run(hugepages: str = "2Mi") -> str:
        command = [
            go_backend, "probe", "--label", "--node-name", OWN, "--api-server", installed.url,
            "--service-account", tmp_path, "--hugepages", hugepages,
        ]  # fmt: skip
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stderr.splitlines()[-1])["verdict"]

    return run


def test_labels_come_and_go_and_the_hand_wins(installed: ControlPlane, probe):
    verdict = probe()
    found = labels(installed)
    assert EXPECTED <= found.keys() and ("triptych.dev/fast-path" in found) == verdict.startswith("fits")
    too_much = probe("1024Gi")
    assert too_much.startswith("does not fit") and "triptych.dev/hugepages-2Mi" not in labels(installed)
    installed.kubectl("label", "--overwrite", "node", OWN, "triptych.dev/xdp=forbidden")
    probe()
    found = labels(installed)
    assert found["triptych.dev/xdp"] == "forbidden" and found["triptych.dev/hugepages-2Mi"] == "true"
    verdict = installed.kubectl(
        "get", "node", OWN, "--output", r"jsonpath={.metadata.annotations.triptych\.dev/fast-path-verdict}"
    )
    assert verdict.endswith("set by hand: triptych.dev/xdp")
    installed.kubectl("label", "node", OWN, "triptych.dev/xdp-")
    probe()
    assert labels(installed)["triptych.dev/xdp"] in ("native", "generic", "none")


def patch(control_plane: ControlPlane, token: str, node: str, kind: str, body: dict) -> httpx.Response:
    with control_plane.client(token) as client:
        manager = {"fieldManager": "test"} if kind == APPLY else {}
        return client.patch(f"/api/v1/nodes/{node}", json=body, headers={"Content-Type": kind}, params=manager)


# What a stolen token might try, and what the refusal says.
REFUSED = {
    "another node": (
        OTHER,
        {"metadata": {"labels": {"triptych.dev/xdp": "native"}}},
        "only the node that its pod runs on",
    ),
    "another label": (OWN, {"metadata": {"labels": {"node-role.kubernetes.io/admin": ""}}}, "only labels that begin"),
    "a label removed": (OWN, {"metadata": {"labels": {"mine": None}}}, "only labels that begin"),
    "another annotation": (OWN, {"metadata": {"annotations": {"mine": "x"}}}, "only annotations that begin"),
    "a taint": (OWN, {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}, "only labels and annotations"),
    "a finalizer": (OWN, {"metadata": {"finalizers": ["example.com/stay"]}}, "only labels and annotations"),
}


@pytest.mark.parametrize("node, body, message", REFUSED.values(), ids=REFUSED.keys())
def test_token_is_good_for_nothing_else(installed: ControlPlane, token: str, node: str, body: dict, message: str):
    installed.kubectl("label", "--overwrite", "node", OWN, "mine=yes")
    answer = patch(installed, token, node, MERGE, body)
    assert answer.status_code == 422 and message in answer.json()["message"], answer.text


def test_token_makes_no_node_and_reads_nothing_else(installed: ControlPlane, token: str):
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "new"}}
    assert patch(installed, token, "new", APPLY, body).status_code == 403
    with installed.client(token) as client:
        for path in ("/api/v1/nodes", "/api/v1/pods", f"/api/v1/namespaces/{NAMESPACE}/secrets"):
            assert client.get(path).status_code == 403
        assert client.delete(f"/api/v1/nodes/{OWN}").status_code == 403


def test_others_are_not_held_by_the_policy(installed: ControlPlane):
    installed.kubectl("label", "--overwrite", "node", OTHER, "anything=goes", "triptych.dev/xdp=none")
    assert labels(installed, OTHER) == {"triptych.dev/xdp": "none"}
