"""A thousand nodes with mixed labels and hugepages: exactly the fitting ones get a pod of the fast path."""

from __future__ import annotations

import itertools

import pytest
from control_plane import ControlPlane

from common import ROOT, output, tool
from support import FAST_PATH_LABELS, eventually, nodes_command

NAMESPACE = "fast-path"
NODES = 1000
FAST_PATH, HUGEPAGES = FAST_PATH_LABELS
# What the chart requests by default, and what it also accepts or refuses.
OFFERED = ("0", "62Mi", "64Mi", "1Gi")
ENOUGH = {"64Mi", "1Gi"}
MIXTURE = list(itertools.product(("true", "false", None), ("true", None), OFFERED))
LOST = 20
REPLICAS = 60


def node(number: int) -> dict:
    """Node `number`, one of the mixture in turn."""
    fast_path, hugepages, offered = MIXTURE[number % len(MIXTURE)]
    labels = {FAST_PATH: fast_path, HUGEPAGES: hugepages, "kubernetes.io/hostname": f"node-{number}"}
    resources = {"cpu": "8", "memory": "32Gi", "pods": "110", "hugepages-2Mi": offered}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"node-{number}", "labels": {key: value for key, value in labels.items() if value}},
        "status": {"capacity": resources, "allocatable": resources},
    }


def labelled(item: dict) -> bool:
    return FAST_PATH_LABELS.items() <= item["metadata"]["labels"].items()


def fits(item: dict) -> bool:
    return labelled(item) and item["status"]["allocatable"]["hugepages-2Mi"] in ENOUGH


def names(nodes: list[dict]) -> set[str]:
    return {item["metadata"]["name"] for item in nodes}


def manifests(template: str, *settings: str) -> str:
    """What the chart renders for the Go backend, but for what is no part of scheduling."""
    command = [
        tool("helm"),
        "template",
        "demo",
        ROOT,
        "--namespace",
        NAMESPACE,
        "--set",
        "global.goBackend.enabled=true",
    ]
    for setting in settings:
        command += ["--set", setting]
    for name in ("service", template):
        command += ["--show-only", f"charts/go-backend/templates/{name}.yaml"]
    return output(*command)


def apply(control_plane: ControlPlane, text: str) -> None:
    control_plane.kubectl("apply", "--namespace", NAMESPACE, "--filename", "-", input=text)


def running(pods: list[dict]) -> set[str]:
    """Nodes of the pods that run."""
    return {pod["spec"]["nodeName"] for pod in pods if pod["status"].get("phase") == "Running"}


@pytest.fixture(scope="module")
def nodes(control_plane: ControlPlane) -> list[dict]:
    created = [node(number) for number in range(NODES)]
    control_plane.create_nodes(created)
    control_plane.kubectl("create", "namespace", NAMESPACE)
    return created


@pytest.fixture(scope="module")
def fast_path(control_plane: ControlPlane, nodes: list[dict]) -> set[str]:
    """The fast path, installed; names of the nodes that fit."""
    apply(control_plane, manifests("daemonset"))
    return names([item for item in nodes if fits(item)])


def agents(control_plane: ControlPlane) -> list[dict]:
    return [pod for pod in control_plane.pods(NAMESPACE, "go-backend") if owner(pod) == "DaemonSet"]


def owner(pod: dict) -> str:
    return pod["metadata"]["ownerReferences"][0]["kind"]


def test_exactly_the_fitting_nodes_run_a_pod(control_plane: ControlPlane, fast_path: set[str], nodes: list[dict]):
    assert 50 < len(fast_path) < len(nodes) / 5, "the mixture has both kinds"
    wanted = len([item for item in nodes if labelled(item)])

    def complete() -> list[dict]:
        pods = agents(control_plane)
        return pods if len(pods) >= wanted and running(pods) >= fast_path else []

    pods = eventually(complete, 300, "each labelled node has a pod, and it runs on every fitting one")
    assert running(pods) == fast_path
    assert len(pods) == wanted, "one pod for each labelled node, no other"


def test_a_label_that_promises_too_much_leaves_a_pod_that_tells_why(control_plane: ControlPlane, fast_path: set[str]):
    """Labels set by hand may be wrong; the probe sets none that its kubelet does not honour."""

    def reasons() -> set[str]:
        pending = [pod for pod in agents(control_plane) if not pod["spec"].get("nodeName")]
        messages = [
            condition.get("message", "") for pod in pending for condition in pod["status"].get("conditions", [])
        ]
        return {message for message in messages if "Insufficient hugepages-2Mi" in message}

    assert eventually(reasons, 120, "the pods on nodes without pages tell why they wait")


def test_a_label_taken_away_removes_the_pod(control_plane: ControlPlane, fast_path: set[str]):
    lost = sorted(fast_path)[:LOST]
    for label in FAST_PATH_LABELS:
        half = lost[: LOST // 2] if label == FAST_PATH else lost[LOST // 2 :]
        control_plane.kubectl("label", "nodes", *half, f"{label}-")
    eventually(lambda: running(agents(control_plane)) == fast_path - set(lost), 240, "exactly those pods go")
    control_plane.kubectl("label", "nodes", *lost, *(f"{key}={value}" for key, value in FAST_PATH_LABELS.items()))
    eventually(lambda: running(agents(control_plane)) == fast_path, 240, "they come back with the labels")


def test_socket_mode_needs_no_label(control_plane: ControlPlane, nodes: list[dict], fast_path: set[str]):
    apply(control_plane, manifests("deployment", "go-backend.mode=socket", f"go-backend.replicas={REPLICAS}"))

    def placed() -> set[str]:
        return running([pod for pod in control_plane.pods(NAMESPACE, "go-backend") if owner(pod) == "ReplicaSet"])

    eventually(lambda: len(placed()) == REPLICAS, 240, "every replica runs, each on a node of its own")
    assert placed() & names([item for item in nodes if not labelled(item)])


def test_the_cluster_says_so_itself(control_plane: ControlPlane, fast_path: set[str], nodes: list[dict]):
    """The command of the release notes shows every node with its labels and pages."""
    chart = ("install", "demo", ROOT, "--dry-run=client", "--set", "global.goBackend.enabled=true")
    notes = output(tool("helm"), *chart, env={"KUBECONFIG": "/dev/null"})
    listed = control_plane.kubectl(*nodes_command(notes), "--no-headers")
    rows = {
        name: (label, pages) for name, label, _, pages, _ in (line.split(maxsplit=4) for line in listed.splitlines())
    }
    expected = {
        item["metadata"]["name"]: (
            item["metadata"]["labels"].get(FAST_PATH, "<none>"), item["status"]["allocatable"]["hugepages-2Mi"]
        )
        for item in nodes
    }  # fmt: skip
    assert {name: rows[name] for name in expected} == expected
    assert all(rows[name][0] == "true" and rows[name][1] in ENOUGH for name in fast_path)
