"""The fast path on real nodes: the probe's labels place it, a rule drops real datagrams, others are ingested, gRPC takes
nobody without a certificate, and a label takes it all away."""

from __future__ import annotations

import base64
import itertools
import json
import secrets
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from datagrams import Receiver, Sender

import release
import up
from support import (
    FAST_PATH_LABELS,
    Api,
    eventually,
    fingerprint,
    forwarded,
    kubectl_process,
    lasting,
    nodes_command,
    pods,
)

pytestmark = pytest.mark.functional

LABEL, HUGEPAGES = FAST_PATH_LABELS
VERDICT = "triptych.dev/fast-path-verdict"
GUARDED_PORT, INGEST_PORT = 9999, 2055
DATAGRAMS = 20
UDP = 17
WHOLE = {"cpu": "1", "memory": "384Mi"}
# Everything that this file shows, in one upgrade.
VALUES = {
    "global": {"goBackend": {"tls": {"generate": True}}},
    "go-backend": {
        "probe": {"enabled": True, "interval": "5s"},
        "ingest": {"ports": [INGEST_PORT]},
        "numa": {"policy": "single-numa-node"},
        "resources": {"requests": WHOLE, "limits": WHOLE},
    },
}
CERTIFICATES = ("go-backend-ca", "go-backend-tls", "go-backend-client-tls")


def upgrade(target: release.Target) -> None:
    target.helm(
        "upgrade", release.RELEASE, str(release.ROOT), *release.value_arguments(), "--values", "-",
        "--wait", "--timeout", "5m", input=json.dumps(VALUES),
    )  # fmt: skip


@pytest.fixture(scope="module")
def probed(platform: release.Target) -> Iterator[release.Target]:
    """The platform with these values, on nodes that nobody but the probe has labelled; as before afterwards."""
    before = {name: labels(metadata) for name, metadata in nodes(platform).items()}
    set_labels(platform, {name: {} for name in before})
    upgrade(platform)
    yield platform
    up.up(platform)
    set_labels(platform, before)
    platform.kubectl("annotate", "nodes", "--all", f"{VERDICT}-")


def nodes(target: release.Target) -> dict[str, dict]:
    """Metadata of every node by name."""
    listed = json.loads(target.kubectl("get", "nodes", "--output", "json"))["items"]
    return {node["metadata"]["name"]: node["metadata"] for node in listed}


def labels(metadata: dict) -> dict[str, str]:
    """A node's labels of this platform."""
    return {key: value for key, value in metadata["labels"].items() if key.startswith("triptych.dev/")}


def set_labels(target: release.Target, wanted: dict[str, dict[str, str]]) -> None:
    """Give each node these labels of the platform and no others."""
    for node, metadata in nodes(target).items():
        gone = [f"{key}-" for key in labels(metadata).keys() - wanted[node].keys()]
        if changes := [*gone, *(f"{key}={value}" for key, value in wanted[node].items())]:
            target.kubectl("label", "--overwrite", "node", node, *changes)


def verdicts(target: release.Target) -> dict[str, str]:
    """What the probe wrote, by node."""
    found = {name: metadata.get("annotations", {}).get(VERDICT) for name, metadata in nodes(target).items()}
    return {name: verdict for name, verdict in found.items() if verdict}


def placed(client) -> set[str]:
    """Nodes that the fast path runs on."""
    return {pod.obj["spec"]["nodeName"] for pod in lasting(client, release.NAMESPACE, "go-backend") if pod.ready}


def fast_node(client) -> str:
    """The one node that the fast path runs on."""
    return eventually(lambda: len(found := placed(client)) == 1 and found.pop(), 60, "one node runs the fast path")


def test_the_probe_labels_what_each_node_can_do(probed, kube_cluster):
    workers = {
        pod.obj["spec"]["nodeName"] for pod in lasting(kube_cluster.kube_client, release.NAMESPACE, "go-backend-probe")
    }
    assert len(workers) == 2
    eventually(lambda: verdicts(probed).keys() >= workers, 60, "every worker has a verdict")
    for name in workers:
        found = labels(nodes(probed)[name])
        assert found[LABEL] == "true" and found["triptych.dev/xdp"] in ("native", "generic"), verdicts(probed)
        assert found["triptych.dev/af-xdp"] in ("zero-copy", "copy") and int(found["triptych.dev/numa-nodes"]) >= 1
    [fitting] = [name for name, verdict in verdicts(probed).items() if verdict.startswith("fits: ")]
    assert {name for name in workers if HUGEPAGES in nodes(probed)[name]["labels"]} == {fitting}
    [unfit] = workers - {fitting}
    assert "the kubelet offers 0: restart the kubelet" in verdicts(probed)[unfit]


def test_it_runs_on_the_fitting_node_alone(probed, kube_cluster):
    fitting = {name for name, verdict in verdicts(probed).items() if verdict.startswith("fits: ")}
    eventually(lambda: placed(kube_cluster.kube_client) == fitting, 90, "the fitting node runs it")
    [pod] = lasting(kube_cluster.kube_client, release.NAMESPACE, "go-backend")
    assert pod.obj["status"]["qosClass"] == "Guaranteed", "a kubelet may bind its CPUs and memory"


def test_the_notes_tell_which_nodes_fit_and_why_the_others_do_not(probed):
    notes = probed.helm("get", "notes", release.RELEASE)
    header, *rows = probed.kubectl(*nodes_command(notes)).splitlines()
    assert header.split() == ["NODE", "FAST-PATH", "XDP", "HUGEPAGES", "VERDICT"]
    shown = {row.split()[0]: row.split(maxsplit=4)[4].strip() for row in rows}
    assert shown == {name: verdicts(probed).get(name, "<none>") for name in nodes(probed)}


@pytest.fixture
def other(probed: release.Target, kube_cluster) -> str:
    """The worker without the fast path."""
    [name] = {name for name in nodes(probed) if "control-plane" not in name} - {fast_node(kube_cluster.kube_client)}
    return name


@pytest.fixture
def sender(probed: release.Target, kube_cluster, other: str) -> Sender:
    return Sender(probed, other, fast_node(kube_cluster.kube_client), GUARDED_PORT)


@pytest.fixture
def receiver(kube_cluster, sender: Sender) -> Iterator[Receiver]:
    """A socket on the node with the fast path that datagrams are known to reach."""
    running = Receiver(fast_node(kube_cluster.kube_client), GUARDED_PORT)
    running.wait_for_first(sender)
    yield running
    running.stop()


def in_force(admin: Api) -> bool:
    """Whether every node enforces the current rules."""
    status = admin.http.get("/guard/status").raise_for_status().json()
    return bool(status["nodes"]) and all(node["up_to_date"] and node["enforcing"] for node in status["nodes"])


def hits(admin: Api, rule: dict) -> int:
    counters = admin.http.get("/guard/counters").raise_for_status().json()["counters"]
    return sum(counter["packets"] for counter in counters if counter["rule_id"] == rule["id"])


def test_a_rule_drops_real_datagrams_and_counts_them(admin: Api, sender: Sender, receiver: Receiver):
    """From the database over gRPC into the kernel of the node, and back: exactly these datagrams, exactly so long."""
    sender.send(5)
    eventually(lambda: receiver.received() == 5, 30, "datagrams arrive without a rule")
    body = {
        "prefix": f"{sender.source_address}/32", "protocol": UDP, "ports": [{"first": GUARDED_PORT, "last": GUARDED_PORT}],
        "action": "deny", "comment": "cluster test", "ttl_seconds": 600,
    }  # fmt: skip
    rule = admin.http.post("/guard/rules", json=body).raise_for_status().json()
    try:
        eventually(lambda: in_force(admin), 60, "the node has the rule")
        sender.send(DATAGRAMS)
        eventually(lambda: hits(admin, rule) == DATAGRAMS, 30, "the rule counts every datagram")
        assert receiver.received() == 5
    finally:
        admin.http.delete(f"/guard/rules/{rule['id']}").raise_for_status()
    eventually(lambda: in_force(admin), 60, "the node has lost the rule")
    sender.send(5)
    eventually(lambda: receiver.received() == 10, 30, "datagrams arrive again")


def ingest(admin: Api) -> tuple[dict, list[dict]]:
    """The one stream and the subscriptions of the one node, as the API tells them."""
    [node] = admin.http.get("/ingest/streams").raise_for_status().json()["nodes"]
    assert not node["error"], node
    [stream] = node["streams"]
    return stream, node["subscriptions"]


def event_data(stream: httpx.Response, kind: str) -> Iterator[dict]:
    """Data of the Server-Sent Events of a kind."""
    current = ""
    for line in stream.iter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            current = value
        elif name == "data" and current == kind:
            yield json.loads(value)


def test_datagrams_to_an_ingest_port_reach_every_subscriber(probed, kube_cluster, admin: Api, other: str):
    """By AF_XDP to the command in the pod and to the API's live tail, and the counters add up."""
    [pod] = lasting(kube_cluster.kube_client, release.NAMESPACE, "go-backend")
    source = Sender(probed, other, pod.obj["spec"]["nodeName"], INGEST_PORT)
    before, _ = eventually(lambda: ingest(admin), 30, "the node tells its streams")
    assert before["mode"] in ("af_xdp_native", "af_xdp_generic"), before["reason"]
    command = ["exec", pod.name, "--", "go-backend", "ingest", "tail", "--output", "json", "--count", str(DATAGRAMS)]
    with (
        kubectl_process(probed, *command) as tail,
        admin.http.stream("GET", "/ingest/tail", params={"ports": INGEST_PORT}, timeout=60) as live,
    ):
        eventually(lambda: len(ingest(admin)[1]) == 2, 30, "both have subscribed")
        source.send(DATAGRAMS)
        printed = [json.loads(line) for line in tail.communicate(timeout=60)[0].splitlines()]
        told = list(itertools.islice(event_data(live, "datagram"), DATAGRAMS))
    expected = {f"datagram {number}\n" for number in range(1, DATAGRAMS + 1)}
    assert {base64.b64decode(item["payload"]).decode() for item in printed} == expected
    assert {bytes.fromhex(item["payload_hex"]).decode() for item in told} == expected
    assert {item["source"].rpartition(":")[0] for item in printed} == {source.source_address}
    after, _ = eventually(lambda: ingest(admin), 30, "the node tells its streams")
    counters = after["counters"]
    assert counters["received"] - before["counters"]["received"] == DATAGRAMS
    assert counters["delivered"] - before["counters"]["delivered"] == DATAGRAMS
    lost = sum(loss["datagrams"] for loss in counters["dropped"])
    assert counters["received"] == counters["delivered"] + lost + counters["pending"]


def certificates(target: release.Target, folder: Path, name: str) -> Path:
    """A new folder with the files of a Secret."""
    data = json.loads(target.kubectl("get", "secret", name, "--output", "json"))["data"]
    folder.mkdir()
    for file, content in data.items():
        (folder / file).write_bytes(base64.b64decode(content))
    return folder


def greet(target: release.Target, pod: str, trusted: Path, shown: Path | None) -> bytes:
    """Speak to a pod's gRPC server over TLS; its certificate.

    Each time through a tunnel of its own: kubectl may close one in which the server has broken a connection off.

    Raises:
        SSLError: the certificate of either is not accepted.
    """
    context = ssl.create_default_context(cafile=trusted / "ca.crt")
    context.set_alpn_protocols(["h2"])
    if shown:
        context.load_cert_chain(shown / "tls.crt", shown / "tls.key")
    with (
        forwarded(target, pod, 50051) as port,
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="go-backend") as secured,
    ):
        # A server of TLS 1.3 refuses a certificate only in its first answer: here HTTP/2's settings, which it sends
        # unasked. What it has not read when it refuses would break the connection off, and the reason might get lost.
        assert secured.recv(9), "the server closed the connection"
        return secured.getpeercert(binary_form=True)


def test_certificates_are_demanded_and_replaced_without_a_restart(probed, kube_cluster, admin: Api, tmp_path: Path):
    client = kube_cluster.kube_client
    [pod] = lasting(client, release.NAMESPACE, "go-backend")
    running = fingerprint(client, release.NAMESPACE)
    old = certificates(probed, tmp_path / "old", "go-backend-client-tls")
    first = greet(probed, pod.name, trusted=old, shown=old)
    with pytest.raises(ssl.SSLError, match="certificate required"):
        greet(probed, pod.name, trusted=old, shown=None)
    # A new authority, too: neither side accepts the other before it has its own new files.
    probed.kubectl("delete", "secret", *CERTIFICATES)
    upgrade(probed)
    new = certificates(probed, tmp_path / "new", "go-backend-client-tls")

    def mounted(shown: str) -> bool:
        wake_kubelets(probed)
        [server] = lasting(client, release.NAMESPACE, "flask-backend")
        return probed.kubectl("exec", server.name, "--", "cat", "/run/secrets/triptych/go-backend.crt") == shown

    assert eventually(lambda: accepted(probed, pod.name, new), 120, "the server has its new certificate") != first
    with pytest.raises(ssl.SSLError):
        greet(probed, pod.name, trusted=new, shown=old)
    eventually(lambda: mounted((new / "tls.crt").read_text().strip()), 120, "the backend has its new certificate")
    eventually(lambda: admin.components()["go-backend"] == "healthy", 60, "the backend is accepted")
    eventually(lambda: in_force(admin), 60, "the worker is accepted")
    assert fingerprint(client, release.NAMESPACE) == running


def wake_kubelets(target: release.Target) -> None:
    """A changed pod has its Secrets looked at now; of itself it happens within two minutes."""
    names = "app.kubernetes.io/name in (go-backend, flask-backend, flask-backend-worker)"
    target.kubectl("annotate", "pods", "--selector", names, "--overwrite", f"triptych.dev/woken={secrets.token_hex(4)}")


def accepted(target: release.Target, pod: str, files: Path) -> bytes | None:
    """The server's certificate; None while it or these files are not accepted."""
    wake_kubelets(target)
    try:
        return greet(target, pod, trusted=files, shown=files)
    except OSError:  # of TLS, too
        return None


def test_a_label_set_by_hand_takes_the_pod_away_and_the_platform_stays(probed, kube_cluster, admin: Api):
    client = kube_cluster.kube_client
    node = fast_node(client)
    probed.kubectl("label", "--overwrite", "node", node, f"{LABEL}=false")
    eventually(lambda: not pods(client, release.NAMESPACE, "go-backend"), 90, "the pod goes")
    eventually(lambda: verdicts(probed)[node].endswith(f"set by hand: {LABEL}"), 60, "the probe sees it and yields")
    assert nodes(probed)[node]["labels"][LABEL] == "false"
    eventually(lambda: admin.components()["go-backend"] == "unavailable", 60, "the status says so")

    def others() -> set[str]:
        return {status for name, status in admin.components().items() if name != "go-backend"}

    eventually(lambda: others() == {"healthy"}, 60, "the rest is healthy")
    assert Api.log_in(probed.url, **up.ADMIN).users()
    probed.kubectl("label", "node", node, f"{LABEL}-")
    eventually(lambda: placed(client) == {node}, 120, "the probe sets its label again and the pod comes back")
    eventually(lambda: admin.components()["go-backend"] == "healthy", 60, "the platform is whole")
