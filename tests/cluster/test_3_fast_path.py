"""The fast path on real nodes: the probe's labels place it, a rule drops real datagrams, a label takes it away."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import release
import up
from engine import engine
from support import FAST_PATH_LABELS, Api, eventually, pods

pytestmark = pytest.mark.functional

LABEL, HUGEPAGES = FAST_PATH_LABELS
VERDICT = "triptych.dev/fast-path-verdict"
PROBE_SECONDS = 5
PORT = 9999
UDP = 17


@pytest.fixture(scope="module")
def probed(platform: release.Target) -> Iterator[release.Target]:
    """The platform with the probe, and without it and its labels on unfit nodes afterwards."""
    platform.helm(
        "upgrade", release.RELEASE, str(release.ROOT), *release.value_arguments(), "--wait", "--timeout", "5m",
        "--set", f"go-backend.probe.enabled=true,go-backend.probe.interval={PROBE_SECONDS}s",
    )  # fmt: skip
    yield platform
    up.up(platform)
    for node, metadata in nodes(platform).items():
        labels = [key for key in metadata["labels"] if key.startswith("triptych.dev/")]
        kept = FAST_PATH_LABELS if HUGEPAGES in labels else {}
        for key in set(labels) - set(kept):
            platform.kubectl("label", "node", node, f"{key}-")
        platform.kubectl("annotate", "node", node, f"{VERDICT}-")


def nodes(target: release.Target) -> dict[str, dict]:
    """Metadata of every node by name."""
    listed = json.loads(target.kubectl("get", "nodes", "--output", "json"))["items"]
    return {node["metadata"]["name"]: node["metadata"] for node in listed}


def verdicts(target: release.Target) -> dict[str, str]:
    """What the probe wrote, by node."""
    found = {name: metadata.get("annotations", {}).get(VERDICT) for name, metadata in nodes(target).items()}
    return {name: verdict for name, verdict in found.items() if verdict}


def placed(client) -> set[str]:
    """Nodes that the fast path runs on."""
    return {pod.obj["spec"]["nodeName"] for pod in pods(client, release.NAMESPACE, "go-backend") if pod.ready}


def test_the_probe_labels_what_each_node_can_do(probed, kube_cluster):
    workers = {
        pod.obj["spec"]["nodeName"] for pod in pods(kube_cluster.kube_client, release.NAMESPACE, "go-backend-probe")
    }
    assert len(workers) == 2
    eventually(lambda: verdicts(probed).keys() >= workers, 60, "every worker has a verdict")
    for name in workers:
        labels = nodes(probed)[name]["labels"]
        assert labels[LABEL] == "true" and labels["triptych.dev/xdp"] in ("native", "generic"), verdicts(probed)
        assert labels["triptych.dev/af-xdp"] in ("zero-copy", "copy") and int(labels["triptych.dev/numa-nodes"]) >= 1
    [fitting] = [name for name, verdict in verdicts(probed).items() if verdict.startswith("fits: ")]
    assert {name for name in workers if HUGEPAGES in nodes(probed)[name]["labels"]} == {fitting}
    [unfit] = workers - {fitting}
    assert "the kubelet offers 0: restart the kubelet" in verdicts(probed)[unfit]


def test_it_runs_on_the_fitting_node_alone(probed, kube_cluster):
    fitting = {name for name, verdict in verdicts(probed).items() if verdict.startswith("fits: ")}
    assert placed(kube_cluster.kube_client) == fitting


class Datagrams:
    """Sends datagrams from one node to another and counts those that arrive; the receiver ends by itself, too."""

    def __init__(self, target: release.Target, source: str, destination: str) -> None:
        self.source, self.destination = source, destination
        self.source_address, self.address = address(target, source), address(target, destination)
        self.file, self.process_id = f"/tmp/received-{PORT}", f"/tmp/receiver-{PORT}"
        receive = f"rm -f {self.file}; echo $$ > {self.process_id}; exec timeout 600 socat -u UDP4-RECV:{PORT} CREATE:{self.file}"
        engine().run("exec", "--detach", destination, "bash", "-c", receive, quiet=True)
        eventually(lambda: self.send(1) or self.received(), 30, "a first datagram arrives")

    def send(self, count: int) -> None:
        script = f"for i in $(seq {count}); do echo datagram > /dev/udp/{self.address}/{PORT}; done"
        engine().run("exec", self.source, "bash", "-c", script, quiet=True)

    def received(self) -> int:
        script = f"[ ! -f {self.file} ] || cat {self.file}"
        return engine().output("exec", self.destination, "bash", "-c", script).count("datagram")

    def stop(self) -> None:
        engine().run("exec", self.destination, "bash", "-c", f"kill $(cat {self.process_id})", quiet=True)


def address(target: release.Target, node: str) -> str:
    return target.kubectl(
        "get", "node", node, "--output", 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}'
    )


@pytest.fixture
def datagrams(platform: release.Target, kube_cluster) -> Iterator[Datagrams]:
    """A stream of datagrams to the node with the fast path, from another worker."""
    [fast] = placed(kube_cluster.kube_client)
    [other] = {name for name in nodes(platform) if "control-plane" not in name} - {fast}
    stream = Datagrams(platform, other, fast)
    yield stream
    stream.stop()


def in_force(admin: Api) -> bool:
    """Whether every node enforces the current rules."""
    status = admin.http.get("/guard/status").raise_for_status().json()
    return bool(status["nodes"]) and all(node["up_to_date"] and node["enforcing"] for node in status["nodes"])


def hits(admin: Api, rule: dict) -> int:
    counters = admin.http.get("/guard/counters").raise_for_status().json()["counters"]
    return sum(counter["packets"] for counter in counters if counter["rule_id"] == rule["id"])


def test_a_rule_drops_real_datagrams_and_counts_them(admin: Api, datagrams: Datagrams):
    """From the database over gRPC into the kernel of the node, and back: exactly these datagrams, exactly so long."""
    before = datagrams.received()
    datagrams.send(5)
    eventually(lambda: datagrams.received() == before + 5, 30, "datagrams arrive without a rule")
    body = {
        "prefix": f"{datagrams.source_address}/32", "protocol": UDP, "ports": [{"first": PORT, "last": PORT}],
        "action": "deny", "comment": "cluster test", "ttl_seconds": 600,
    }  # fmt: skip
    rule = admin.http.post("/guard/rules", json=body).raise_for_status().json()
    try:
        eventually(lambda: in_force(admin), 60, "the node has the rule")
        datagrams.send(20)
        eventually(lambda: hits(admin, rule) == 20, 30, "the rule counts every datagram")
        assert datagrams.received() == before + 5
    finally:
        admin.http.delete(f"/guard/rules/{rule['id']}").raise_for_status()
    eventually(lambda: in_force(admin), 60, "the node has lost the rule")
    datagrams.send(5)
    eventually(lambda: datagrams.received() == before + 10, 30, "datagrams arrive again")


def test_a_label_set_by_hand_takes_the_pod_away_and_the_platform_stays(probed, kube_cluster, admin: Api):
    client = kube_cluster.kube_client
    [node] = placed(client)
    probed.kubectl("label", "--overwrite", "node", node, f"{LABEL}=false")
    eventually(lambda: not pods(client, release.NAMESPACE, "go-backend"), 90, "the pod goes")
    eventually(lambda: verdicts(probed)[node].endswith(f"set by hand: {LABEL}"), 60, "the probe sees it and yields")
    assert nodes(probed)[node]["labels"][LABEL] == "false"
    eventually(lambda: admin.components()["go-backend"] == "unavailable", 60, "the status says so")
    others = {name: status for name, status in admin.components().items() if name != "go-backend"}
    assert set(others.values()) == {"healthy"}
    assert Api.log_in(probed.url, **up.ADMIN).users()
    probed.kubectl("label", "node", node, f"{LABEL}-")
    eventually(lambda: placed(client) == {node}, 120, "the probe sets its label again and the pod comes back")
    eventually(lambda: admin.components()["go-backend"] == "healthy", 60, "the platform is whole")
