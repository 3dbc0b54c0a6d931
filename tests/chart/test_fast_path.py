"""The Go backend's modes: where its pods go, with which rights, and how nodes get their labels."""

from __future__ import annotations

import pytest
from components import FAST_PATH
from rendering import Objects, containers, environment, merged, pod, render

FEATURES = "/etc/kubernetes/node-feature-discovery/features.d"
LABELS = {"triptych.dev/fast-path": "true", "triptych.dev/hugepages-2Mi": "true"}
WHOLE = {"cpu": "2", "memory": "512Mi"}


def fast_path(helm: str = "helm", **values) -> Objects:
    """Objects with the fast path and these values of its chart."""
    return render(helm=helm, **merged(FAST_PATH, {"go-backend": values}))


def agent(objects: Objects, name: str = "go-backend") -> dict:
    """Pod spec of a DaemonSet."""
    return pod(objects.find("DaemonSet", name))["spec"]


def capabilities(spec: dict) -> list[str]:
    return spec["containers"][0]["securityContext"]["capabilities"]["add"]


def test_pods_go_to_labelled_nodes_with_hugepages() -> None:
    spec = agent(fast_path(hugepages={"size": "128Mi"}, nodeSelector={"pool": "edge"}))
    assert spec["nodeSelector"] == {**LABELS, "pool": "edge"}
    resources = spec["containers"][0]["resources"]
    assert resources["requests"]["hugepages-2Mi"] == resources["limits"]["hugepages-2Mi"] == "128Mi"
    assert {port["hostPort"] for port in spec["containers"][0]["ports"]} == {50051, 8080}


def test_one_workload_for_each_mode() -> None:
    assert fast_path().has("DaemonSet", "go-backend") and not fast_path().has("Deployment", "go-backend")
    objects = fast_path(mode="socket")
    assert objects.has("Deployment", "go-backend") and not objects.has("DaemonSet", "go-backend")
    assert not objects.of("ClusterRole")


def test_socket_mode_runs_anywhere_without_rights() -> None:
    deployment = fast_path(mode="socket", replicas=3).find("Deployment", "go-backend")
    spec = pod(deployment)["spec"]
    (container,) = spec["containers"]
    assert deployment["spec"]["replicas"] == 3
    assert "nodeSelector" not in spec and "hostNetwork" not in spec
    assert "add" not in container["securityContext"]["capabilities"]
    assert not any(name.startswith("hugepages") for part in container["resources"].values() for name in part)
    assert "--xdp-mode=off" in container["args"]
    assert not any("hostPort" in port for port in container["ports"])


def test_socket_mode_is_reached_by_the_backend_alone() -> None:
    rules = fast_path(mode="socket").find("NetworkPolicy", "go-backend")["spec"]["ingress"]
    names = [rule["from"][0]["podSelector"]["matchExpressions"][0]["values"] for rule in rules]
    assert names == [["flask-backend", "flask-backend-worker", "smoke-test"]]
    assert not fast_path().has("NetworkPolicy", "go-backend"), "no policy reaches the host's network"


def test_several_socket_pods_have_a_disruption_budget() -> None:
    assert fast_path(mode="socket", replicas=2).has("PodDisruptionBudget", "go-backend")
    assert not fast_path(mode="socket").has("PodDisruptionBudget", "go-backend")


@pytest.mark.parametrize("helm", ["helm", "helm3"])
def test_single_numa_node_is_guaranteed(helm: str) -> None:
    objects = fast_path(
        helm, numa={"policy": "single-numa-node"}, resources={"requests": WHOLE, "limits": WHOLE}
    )  # fmt: skip
    workload = objects.find("DaemonSet", "go-backend")
    for container in containers(workload):
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert int(container["resources"]["limits"]["cpu"]) >= 1


# Values, and the capabilities that they add.
RIGHTS = {
    "nothing": ({}, set()),
    "NUMA preferred": ({"numa": {"policy": "preferred"}}, {"SYS_NICE"}),
    "one NUMA node": (
        {"numa": {"policy": "single-numa-node"}, "resources": {"requests": WHOLE, "limits": WHOLE}},
        {"SYS_NICE"},
    ),
    "AF_XDP": ({"ingest": {"ports": [2055]}}, {"NET_RAW", "IPC_LOCK"}),
    "AF_XDP, low port": ({"ingest": {"ports": [514]}}, {"NET_RAW", "IPC_LOCK", "NET_BIND_SERVICE"}),
    "sockets": ({"ingest": {"ports": [2055], "mode": "socket"}}, set()),
}


@pytest.mark.parametrize("values, added", RIGHTS.values(), ids=RIGHTS.keys())
def test_capabilities_come_only_with_what_needs_them(values: dict, added: set[str]) -> None:
    assert set(capabilities(agent(fast_path(**values)))) == {"BPF", "NET_ADMIN"} | added


@pytest.mark.parametrize("mode, kind", [("fast-path", "DaemonSet"), ("socket", "Deployment")])
def test_ingest_ports_are_open_in_every_mode(mode: str, kind: str) -> None:
    objects = fast_path(mode=mode, ingest={"ports": [514, 2055]})
    (container,) = pod(objects.find(kind, "go-backend"))["spec"]["containers"]
    assert "--ingest-ports=514,2055" in container["args"]
    udp = {port["name"]: port["containerPort"] for port in container["ports"] if port.get("protocol") == "UDP"}
    assert udp == {"udp-514": 514, "udp-2055": 2055}
    service = objects.find("Service", "go-backend")["spec"]["ports"]
    assert {port["targetPort"] for port in service if port.get("protocol") == "UDP"} == udp.keys()
    assert not any("ingest" in argument for argument in agent(fast_path())["containers"][0]["args"])


def test_socket_mode_takes_datagrams_from_anywhere_and_low_ports_without_a_right() -> None:
    objects = fast_path(mode="socket", ingest={"ports": [514, 2055]})
    rules = objects.find("NetworkPolicy", "go-backend")["spec"]["ingress"]
    assert {"ports": [{"port": 514, "protocol": "UDP"}, {"port": 2055, "protocol": "UDP"}]} in rules
    context = pod(objects.find("Deployment", "go-backend"))["spec"]["securityContext"]
    assert context["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    assert context["runAsNonRoot"] is True
    high = fast_path(mode="socket", ingest={"ports": [2055]})
    assert "sysctls" not in pod(high.find("Deployment", "go-backend"))["spec"]["securityContext"]


def test_probe_runs_on_every_candidate_whatever_its_labels() -> None:
    values = {"nodeSelector": {"pool": "edge"}, "tolerations": [{"operator": "Exists"}], "probe": {"enabled": True}}
    spec = agent(fast_path(**values), "go-backend-probe")
    assert spec["nodeSelector"] == {"pool": "edge"}
    assert spec["tolerations"] == [{"operator": "Exists"}]


def test_probe_asks_for_what_the_agent_needs() -> None:
    objects = fast_path(
        interface="eth7", hugepages={"size": "1Gi"}, probe={"enabled": True, "interval": "5m", "minimumXDP": "native"}
    )
    args = agent(objects, "go-backend-probe")["containers"][0]["args"]
    assert {"--label", "--interface=eth7", "--hugepages=1Gi", "--interval=5m", "--minimum-xdp=native"} <= set(args)
    assert "--interface=eth7" in agent(objects)["containers"][0]["args"]


def test_probe_may_get_and_patch_nodes_only() -> None:
    objects = fast_path(probe={"enabled": True})
    (role,) = objects.of("ClusterRole")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}]
    (binding,) = objects.of("ClusterRoleBinding")
    (subject,) = binding["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "demo-go-backend-probe", "namespace": "somewhere"}
    (policy,) = objects.of("ValidatingAdmissionPolicy")
    (bound,) = objects.of("ValidatingAdmissionPolicyBinding")
    assert bound["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}
    assert "system:serviceaccount:somewhere:demo-go-backend-probe" in str(policy["spec"]["matchConditions"])
    cluster_wide = [role, binding, policy, bound]
    assert {item["metadata"]["name"] for item in cluster_wide} == {"somewhere-demo-go-backend-probe"}


def test_probe_writes_features_where_nfd_runs() -> None:
    objects = fast_path(probe={"enabled": True}, nfd={"enabled": True})
    spec = agent(objects, "go-backend-probe")
    assert "--nfd" in spec["containers"][0]["args"] and "--label" not in spec["containers"][0]["args"]
    assert spec["automountServiceAccountToken"] is False
    assert [volume["hostPath"]["path"] for volume in spec["volumes"]] == [FEATURES]
    assert spec["containers"][0]["volumeMounts"] == [{"name": "features", "mountPath": FEATURES}]
    assert not objects.of("ClusterRole", "ValidatingAdmissionPolicy", "NodeFeatureRule")


@pytest.mark.parametrize("size, above", [("2Mi", "0"), ("64Mi", "31"), ("1Gi", "511")])
def test_nfd_alone_sets_both_labels_by_a_rule(size: str, above: str) -> None:
    objects = fast_path(nfd={"enabled": True}, hugepages={"size": size})
    (rule,) = objects.of("NodeFeatureRule")
    labels = [part["labels"] for part in rule["spec"]["rules"]]
    assert {key: value for part in labels for key, value in part.items()} == LABELS
    pages = rule["spec"]["rules"][1]["matchFeatures"][0]["matchExpressions"]["hugepages-2Mi"]
    assert pages == {"op": "Gt", "value": [above]}


def test_guard_keeps_program_and_rules_on_the_node_only_when_asked() -> None:
    plain = agent(fast_path())
    assert not any("hostPath" in volume for volume in plain["volumes"])
    assert not any("safe" in argument or "pin" in argument for argument in plain["containers"][0]["args"])
    guard = {"pin": True, "stateFolder": "/var/lib/edge", "failSafePorts": "tcp/22, reply:udp/123"}
    spec = agent(fast_path(guard=guard))
    assert {"--pin-path=/sys/fs/bpf", "--fail-safe-ports=tcp/22,reply:udp/123"} <= set(spec["containers"][0]["args"])
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume}
    mounts = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    assert paths == {"bpffs": "/sys/fs/bpf", "state": "/var/lib/edge"} and mounts["bpffs"] == "/sys/fs/bpf"
    (state,) = [argument for argument in spec["containers"][0]["args"] if argument.startswith("--state-file=")]
    assert state.startswith(f"--state-file={mounts['state']}/")


@pytest.mark.parametrize("limit, expected", [("512Mi", "256MiB"), ("2Gi", "1024MiB"), ("400M", None)])
def test_collector_leaves_room_for_the_kernels_tables(limit: str, expected: str | None) -> None:
    (container,) = agent(fast_path(resources={"limits": {"memory": limit}}))["containers"]
    assert environment(container).get("GOMEMLIMIT") == expected


# How certificates are given, and the Secrets of server and client.
TLS = {
    "mine": ({"existingSecret": "server", "clientSecret": "client"}, "server", "client"),
    "generated": ({"generate": True}, "demo-go-backend-tls", "demo-go-backend-client-tls"),
}


@pytest.mark.parametrize("tls, server, client", TLS.values(), ids=TLS)
@pytest.mark.parametrize("mode, kind", [("fast-path", "DaemonSet"), ("socket", "Deployment")])
def test_both_sides_of_mutual_tls_have_their_secret(mode: str, kind: str, tls: dict, server: str, client: str) -> None:
    objects = render(**merged(FAST_PATH, {"global": {"goBackend": {"tls": tls}}, "go-backend": {"mode": mode}}))
    spec = pod(objects.find(kind, "go-backend"))["spec"]
    (container,) = spec["containers"]
    files = {argument.partition("=")[2] for argument in container["args"] if argument.startswith("--tls-")}
    (secret,) = [volume["secret"] for volume in spec["volumes"] if volume["name"] == "secrets"]
    assert files == {f"/run/secrets/triptych/{item['path']}" for item in secret["items"]}
    assert secret["secretName"] == server
    # Commands in the pod show the server's certificate.
    given = {value for name, value in environment(container).items() if name.startswith("GO_BACKEND_TLS_")}
    assert given == files
    # A kubelet's gRPC probe speaks no TLS.
    assert all("httpGet" in container[probe] for probe in ("startupProbe", "livenessProbe", "readinessProbe"))
    for workload in (("Deployment", "flask-backend"), ("Deployment", "flask-backend-worker"), ("Pod", "smoke-test")):
        workload = pod(objects.find(*workload))["spec"]
        assert f"'name': '{client}'" in str(workload["volumes"])
        assert "GO_BACKEND_TLS_KEY_FILE" in environment(workload["containers"][0])


@pytest.mark.parametrize("mode, kind", [("fast-path", "DaemonSet"), ("socket", "Deployment")])
def test_pod_monitor_selects_the_agents_pods(mode: str, kind: str) -> None:
    objects = fast_path(mode=mode, podMonitor={"enabled": True, "labels": {"release": "prometheus"}})
    (monitor,) = objects.of("PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    workload = objects.find(kind, "go-backend")
    assert monitor["spec"]["selector"]["matchLabels"] == workload["spec"]["selector"]["matchLabels"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")
    assert endpoint["port"] in {port["name"] for port in pod(workload)["spec"]["containers"][0]["ports"]}
