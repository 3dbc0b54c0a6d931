"""Background work has a Deployment of its own, or the server does it: never both, never neither."""

from __future__ import annotations

import pytest
from rendering import Objects, pod, render

PRIVATE = ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"]


def background(objects: Objects) -> str:
    """Value of BACKGROUND in the server."""
    container = pod(objects.find("Deployment", "flask-backend"))["spec"]["containers"][0]
    return {entry["name"]: entry.get("value") for entry in container["env"]}["BACKGROUND"]


def webhook_rules(objects: Objects, name: str) -> list[dict]:
    """Egress rules to public addresses."""
    rules = objects.find("NetworkPolicy", name)["spec"]["egress"]
    return [
        rule for rule in rules if any(peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0" for peer in rule.get("to", []))
    ]


def test_by_default_the_worker_does_it() -> None:
    objects = render()
    assert background(objects) == "external"
    spec = pod(objects.find("Deployment", "flask-backend-worker"))["spec"]
    assert spec["containers"][0]["args"] == ["worker"]
    assert spec["terminationGracePeriodSeconds"] > 25
    assert webhook_rules(objects, "flask-backend") == []
    (rule,) = webhook_rules(objects, "flask-backend-worker")
    assert set(PRIVATE) <= set(rule["to"][0]["ipBlock"]["except"])
    assert rule["ports"] == [{"port": 443, "protocol": "TCP"}]


@pytest.mark.parametrize(
    "values",
    [
        {"flask-backend": {"worker": {"enabled": False}}},
        {"global": {"redis": {"enabled": False}}},
        {"global": {"database": {"engine": "sqlite"}}},
    ],
    ids=["switched off", "no Redis", "SQLite"],
)
def test_otherwise_the_server_does_it(values: dict) -> None:
    objects = render(**values)
    assert background(objects) == "embedded"
    assert not objects.has("Deployment", "flask-backend-worker")
    assert not objects.has("NetworkPolicy", "flask-backend-worker")
    assert not objects.has("ServiceAccount", "flask-backend-worker")
    assert len(webhook_rules(objects, "flask-backend")) == 1


def test_receivers_inside_are_opened_by_name() -> None:
    rule = {"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}], "ports": [{"port": 8443, "protocol": "TCP"}]}
    values = {"flask-backend": {"webhooks": {"ports": [], "egress": [rule]}}}
    egress = render(**values).find("NetworkPolicy", "flask-backend-worker")["spec"]["egress"]
    assert rule in egress
    assert webhook_rules(render(**values), "flask-backend-worker") == []


def test_only_several_workers_have_a_disruption_budget() -> None:
    assert not render().has("PodDisruptionBudget", "flask-backend-worker")
    objects = render(flask_backend={"worker": {"replicas": 2}})
    budget = objects.find("PodDisruptionBudget", "flask-backend-worker")["spec"]
    assert budget["selector"] == objects.find("Deployment", "flask-backend-worker")["spec"]["selector"]
    assert budget["maxUnavailable"] == 1
