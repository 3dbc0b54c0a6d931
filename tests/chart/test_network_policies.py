"""Default deny, plus exactly the paths that the registry draws."""

from __future__ import annotations

import pytest
from components import COMPONENTS, ROTATION, Component
from rendering import Objects, component, pod, render

ISOLATED = [part for part in COMPONENTS if not part.host_network]
each = pytest.mark.parametrize("part", ISOLATED, ids=lambda part: f"{part.kind}-{part.name}")


def selects(selector: dict, labels: dict) -> bool:
    """Whether a label selector matches."""
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    rules = selector.get("matchExpressions", [])
    assert all(rule["operator"] == "In" for rule in rules)
    return all(labels.get(rule["key"]) in rule["values"] for rule in rules)


def labels_of(objects: Objects, part: Component) -> dict:
    return pod(objects.find(part.kind, part.name))["metadata"]["labels"]


def policy_of(objects: Objects, part: Component) -> dict:
    """The one policy, beside the default deny, that selects the component's pods."""
    labels = labels_of(objects, part)
    policies = [p for p in objects.of("NetworkPolicy") if selects(p["spec"]["podSelector"], labels)]
    names = {component(policy) for policy in policies}
    assert names == {"default-deny", part.name}
    return objects.find("NetworkPolicy", part.name)["spec"]


def allows(rules: list[dict], side: str, labels: dict, port: object) -> bool:
    """Whether any rule lets traffic through between these pods at this port."""
    for rule in rules:
        peers = rule.get(side)
        matched = peers is None or any(selects(p["podSelector"], labels) for p in peers if set(p) == {"podSelector"})
        if matched and (port in [entry["port"] for entry in rule.get("ports", [])]):
            return True
    return False


def path_is_open(objects: Objects, source: Component, target: Component) -> bool:
    """Whether both policies allow the connection from source to target's server port."""
    ((name, number),) = target.ports.items()
    out = policy_of(objects, source).get("egress", [])
    into = policy_of(objects, target).get("ingress", [])
    to_target = any(allows(out, "to", labels_of(objects, target), port) for port in (name, number))
    return to_target and any(allows(into, "from", labels_of(objects, source), port) for port in (name, number))


@each
def test_exactly_the_drawn_paths_are_open(part: Component) -> None:
    objects = render()
    if not objects.has(part.kind, part.name):
        objects = render(**part.values)
    targets = [t for t in ISOLATED if t.ports and objects.has(t.kind, t.name) and t.name != part.name]
    expected = {{"postgresql": "mysql"}.get(t, t) if objects.has("StatefulSet", "mysql") else t for t in part.talks_to}
    # The web UI is the public door: any pod that may talk at all to it is let in.
    opened = {t.name for t in targets if path_is_open(objects, part, t)}
    assert opened == expected


@each
def test_dns_is_open_to_those_who_look_up_names(part: Component) -> None:
    objects = render(**part.values)
    dns = [
        entry["protocol"]
        for rule in policy_of(objects, part).get("egress", [])
        for entry in rule.get("ports", [])
        if entry["port"] == 53
    ]
    assert sorted(dns) == (["TCP", "UDP"] if part.talks_to or part.token else [])


def test_default_deny_touches_only_this_release() -> None:
    spec = render().find("NetworkPolicy", "default-deny")["spec"]
    assert spec["podSelector"]["matchLabels"]["app.kubernetes.io/instance"] == "demo"
    assert spec["policyTypes"] == ["Ingress", "Egress"] and not {"ingress", "egress"} & spec.keys()


def test_web_ui_is_open_to_all_or_to_the_named() -> None:
    open_to_all = render().find("NetworkPolicy", "webui")["spec"]["ingress"]
    assert open_to_all == [{"ports": [{"port": "http", "protocol": "TCP"}]}]
    peer = {"namespaceSelector": {"matchLabels": {"name": "ingress"}}}
    (rule,) = render(webui={"networkPolicy": {"ingressPeers": [peer]}}).find("NetworkPolicy", "webui")["spec"][
        "ingress"
    ]
    assert peer in rule["from"]


@pytest.mark.parametrize("name", ["webui", "flask-backend", "flask-backend-worker"])
def test_metrics_are_open_to_the_named_scraper(name: str) -> None:
    peer = {"podSelector": {"matchLabels": {"app": "prometheus"}}}
    rules = render(global_={"networkPolicy": {"metricsPeers": [peer]}}).find("NetworkPolicy", name)["spec"]["ingress"]
    assert {"from": [peer], "ports": [{"port": "http", "protocol": "TCP"}]} in rules


def test_api_server_is_open_to_those_who_change_secrets_alone() -> None:
    objects = render(global_={"networkPolicy": {"apiServerPorts": [8443]}}, **ROTATION)
    with_it = [
        component(policy)
        for policy in objects.of("NetworkPolicy")
        if any(entry["port"] == 8443 for rule in policy["spec"].get("egress", []) for entry in rule.get("ports", []))
    ]
    assert sorted(with_it) == ["bootstrap-secrets", "rotate-keys"]


def test_fast_path_is_reached_at_its_nodes() -> None:
    values = {"goBackend": {"enabled": True, "grpcPort": 7000, "nodeCIDRs": ["10.0.0.0/16"]}}
    rules = render(global_=values).find("NetworkPolicy", "flask-backend")["spec"]["egress"]
    pods = {
        "podSelector": {
            "matchLabels": {"app.kubernetes.io/instance": "demo"},
            "matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "In", "values": ["go-backend"]}],
        }
    }
    nodes = {"ipBlock": {"cidr": "10.0.0.0/16"}}
    assert {"ports": [{"port": 7000, "protocol": "TCP"}], "to": [nodes, pods]} in rules


def test_external_database_port_is_open() -> None:
    rules = render("ci/external-values.yaml").find("NetworkPolicy", "flask-backend")["spec"]["egress"]
    assert {"ports": [{"port": 5432, "protocol": "TCP"}]} in rules


def test_port_of_its_replica_is_open() -> None:
    external = {"host": "db", "existingSecret": "db", "replica": {"host": "reader", "port": 6000}}
    objects = render(global_={"database": {"engine": "external", "external": external}})
    ports = [{"port": 5432, "protocol": "TCP"}, {"port": 6000, "protocol": "TCP"}]
    for name in ("flask-backend", "flask-backend-worker"):
        assert {"ports": ports} in objects.find("NetworkPolicy", name)["spec"]["egress"]


def test_policies_can_be_left_out() -> None:
    assert not render(global_={"networkPolicy": {"enabled": False}}).of("NetworkPolicy")
