"""What kind is told, what counts as Ready, which images are loaded, and that the pins agree."""

import json
import re
import socket
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import cluster
import load_images
from common import ROOT, VERSIONS, CiError
from node_image import METRICS_SERVER_IMAGE, NodeImage, system_names

NOW = datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC)
BUILT = NodeImage("localhost/triptych/node:abc", built=True)


def test_the_kind_configuration_is_filled_in():
    text = cluster.kind_config(BUILT, 28080, Path("/empty"), cgroup_v1=True)
    assert "${" not in text
    assert text.count("image: localhost/triptych/node:abc") == cluster.NODE_COUNT
    assert "hostPort: 28080" in text and "hostPath: /empty" in text
    patch = json.loads(re.search(r"- '(\{.*\})'", text).group(1))
    assert patch["failCgroupV1"] is False and patch["cgroupDriver"] == "cgroupfs"


def test_only_the_last_worker_sees_hugepages_and_has_the_labels():
    nodes = (ROOT / "ci" / "kind.yaml").read_text().split("- role: ")[1:]
    assert len(nodes) == cluster.NODE_COUNT
    assert ["no-hugepages" in node for node in nodes] == [True, True, False]
    assert ["triptych.dev/fast-path" in node for node in nodes] == [False, False, True]


def test_the_upstream_image_on_cgroup_v2_needs_no_settings():
    assert set(cluster.kubelet_settings(built=False, cgroup_v1=False)) == {"kind", "apiVersion"}


def test_a_busy_port_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CiError, match=f"port {port} on 127.0.0.1 is busy.*PORT="):
            cluster._check_port(port)


def an_object(kind, name, *true_conditions, **status):
    conditions = [{"type": condition, "status": "True"} for condition in true_conditions]
    metadata = {"name": name, "namespace": "kube-system"}
    return {"kind": kind, "metadata": metadata, "status": {"conditions": conditions, **status}}


def a_lease(node, renewed):
    renewed_text = renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"kind": "Lease", "metadata": {"name": node}, "spec": {"renewTime": renewed_text}}


def a_ready_cluster():
    return [
        *(an_object("Node", f"n{number}", "Ready") for number in range(cluster.NODE_COUNT)),
        *(a_lease(f"n{number}", NOW + timedelta(seconds=1)) for number in range(cluster.NODE_COUNT)),
        *(an_object("Deployment", name, "Available") for name in cluster.SYSTEM_DEPLOYMENTS),
        an_object("Pod", "kube-proxy-x", "Ready"),
        an_object("APIService", "v1beta1.metrics.k8s.io", "Available"),
    ]


def test_a_ready_cluster_waits_for_nothing():
    assert list(cluster.pending_objects(a_ready_cluster(), NOW)) == []


@pytest.mark.parametrize("missing", range(len(a_ready_cluster())))
def test_each_part_that_is_not_ready_is_named(missing):
    items = a_ready_cluster()
    items[missing] |= {"status": {}, "spec": {}}
    pending = list(cluster.pending_objects(items, NOW))
    name, kind = items[missing]["metadata"]["name"], items[missing]["kind"]
    expected = "1 of 3 nodes" if kind in ("Node", "Lease") else name
    assert pending == [expected]


def test_pods_of_others_and_ended_pods_are_not_waited_for():
    other = an_object("Pod", "broken")
    other["metadata"]["namespace"] = "default"
    assert list(cluster.pending_objects([*a_ready_cluster(), other], NOW)) == []
    ended = an_object("Pod", "helper", phase="Succeeded")
    assert list(cluster.pending_objects([*a_ready_cluster(), ended], NOW)) == []


def test_the_node_fences_the_service_range_of_the_cluster():
    subnet = re.search(r"serviceSubnet: (\S+)", (ROOT / "ci" / "kind.yaml").read_text()).group(1)
    assert f"SERVICE_SUBNET={subnet} " in (ROOT / "ci" / "node-image" / "entrypoint").read_text()


def test_a_node_that_stopped_writing_is_not_ready_whatever_its_conditions_say():
    items = [item for item in a_ready_cluster() if item["metadata"]["name"] != "n0" or item["kind"] == "Node"]
    items.append(a_lease("n0", NOW - timedelta(minutes=1)))
    assert list(cluster.pending_objects(items, NOW)) == ["1 of 3 nodes"]


def test_an_image_is_loaded_where_the_node_has_none_or_another():
    line = 'localhost/a:1 sha256:m {"config": {"digest": "sha256:c"}}'
    name, ids = load_images.parse_image(line)
    assert load_images.lacked({name: "sha256:c"}, {name: ids}) == []
    assert load_images.lacked({name: "sha256:m"}, {name: ids}) == []
    assert load_images.lacked({name: "sha256:new"}, {name: ids}) == [name]
    assert load_images.lacked({"localhost/b:1": "sha256:b"}, {name: ids}) == ["localhost/b:1"]


def test_the_system_image_gets_every_name_but_the_pause_image():
    names = system_names("registry.example/kube-proxy:v1\nregistry.example/pause:3.10\n")
    assert names == ["registry.example/kube-proxy:v1", METRICS_SERVER_IMAGE]


def test_the_go_module_agrees_with_the_pins():
    module = (ROOT / "ci" / "node-image" / "hyperkube" / "go.mod").read_text()
    required = dict(re.findall(r"^\t(\S+) (v\S+)$", module, re.MULTILINE))
    assert required["k8s.io/kubernetes"] == VERSIONS["KUBERNETES_VERSION"]
    assert required["go.etcd.io/etcd/server/v3"] == VERSIONS["ETCD_VERSION"]
    assert required["github.com/coredns/coredns"] == VERSIONS["COREDNS_VERSION"]
    staging = VERSIONS["KUBERNETES_VERSION"].replace("v1.", "v0.", 1)
    assert set(re.findall(r"=> k8s\.io/\S+ (\S+)", module)) == {staging}


def test_the_metrics_server_manifest_takes_the_pinned_image():
    text = (ROOT / "ci" / "manifests" / "metrics-server.yaml").read_text()
    assert f"image: {METRICS_SERVER_IMAGE}\n" in string.Template(text).substitute(VERSIONS)
