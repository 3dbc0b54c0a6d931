"""Settings that every component has alike: digests, annotations, spreading, monitors."""

from __future__ import annotations

import json

import pytest
from components import COMPONENTS, FAST_PATH, MYSQL
from rendering import ROOT, component, containers, merged, pod, render, render_text

import custom_resources
import schemas

CHARTS = sorted(path.parent.name for path in ROOT.glob("charts/*/values.yaml"))
DIGEST = "sha256:" + "0123456789abcdef" * 4
MONITORED = {
    "webui": {"podMonitor": {"enabled": True}},
    "flask-backend": {"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
    "global": {"networkPolicy": {"metricsPeers": [{"namespaceSelector": {}}]}},
}


def needed(chart: str) -> dict:
    """Values with which a chart is rendered."""
    return {"go-backend": FAST_PATH, "mysql": MYSQL}.get(chart, {})


@pytest.mark.parametrize("chart", CHARTS)
def test_digest_decides_whatever_the_registry(chart: str) -> None:
    values = {"global": {"image": {"registry": "mirror.example"}}, chart: {"image": {"digest": DIGEST}}}
    objects = render(**merged(needed(chart), values))
    names = {item.name for item in COMPONENTS if item.chart == chart}
    images = {
        container["image"]
        for workload in objects.workloads
        if component(workload) in names
        for container in containers(workload)
    }
    (image,) = images
    assert image.startswith("mirror.example/triptych/") and image.endswith(f"@{DIGEST}")


@pytest.mark.parametrize("chart", CHARTS)
def test_service_accounts_are_annotated(chart: str) -> None:
    annotations = {"identity.example.com/role": "reader"}
    objects = render(**merged(needed(chart), {chart: {"serviceAccount": {"annotations": annotations}}}))
    account = objects.find("ServiceAccount", chart)
    assert account["metadata"]["annotations"] == annotations


def test_load_balancer_is_annotated() -> None:
    service = {"type": "LoadBalancer", "annotations": {"lb.example.com/internal": "true"}}
    rendered = render(webui={"service": service}).find("Service", "webui")
    assert rendered["spec"]["type"] == "LoadBalancer"
    assert rendered["metadata"]["annotations"] == service["annotations"]


def test_spreading_is_over_the_components_own_pods() -> None:
    strict = {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
    own = {**strict, "labelSelector": {"matchLabels": {"team": "a"}}}
    objects = render(flask_backend={"topologySpreadConstraints": [strict, own]})
    for name in ("flask-backend", "flask-backend-worker"):
        deployment = objects.find("Deployment", name)
        first, second = pod(deployment)["spec"]["topologySpreadConstraints"]
        assert first == {**strict, "labelSelector": deployment["spec"]["selector"]}
        assert second == own


def test_monitors_select_pods_that_have_the_port() -> None:
    objects = render(**MONITORED)
    names = {component(monitor) for monitor in objects.of("PodMonitor")}
    assert names == {"webui", "flask-backend", "flask-backend-worker"}
    for name in names:
        monitor, deployment = objects.find("PodMonitor", name), objects.find("Deployment", name)
        assert monitor["spec"]["selector"] == deployment["spec"]["selector"]
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert endpoint["port"] in {port["name"] for port in containers(deployment)[0]["ports"]}
    assert objects.find("PodMonitor", "flask-backend")["metadata"]["labels"]["release"] == "prometheus"


def test_monitors_fit_their_definition() -> None:
    text = render_text(values=json.dumps(MONITORED))
    assert schemas.kubeconform(text, schemas.KUBERNETES_VERSIONS[0], custom_resources.schema_location()) == []


def test_no_worker_no_monitor_of_it() -> None:
    objects = render(**merged(MONITORED, {"flask-backend": {"worker": {"enabled": False}}}))
    assert not objects.has("PodMonitor", "flask-backend-worker")
