"""The registry of components and the chart say the same."""

from __future__ import annotations

import pytest
import yaml
from components import BY_KIND_AND_NAME, COMPONENTS, Component
from rendering import CI_FILES, ROOT, VALUES_FILES, component, containers, parse, pod, render, render_text

each = pytest.mark.parametrize("part", COMPONENTS, ids=lambda part: f"{part.kind}-{part.name}")


@pytest.mark.parametrize("file", [*VALUES_FILES, *CI_FILES])
def test_every_workload_is_registered(file: str) -> None:
    for workload in render(file).workloads:
        name = component(workload)
        if name:
            assert (workload["kind"], name) in BY_KIND_AND_NAME
        else:
            assert workload["metadata"]["name"].startswith("external-"), "an unlabelled workload of the chart"


def test_every_chart_has_a_component() -> None:
    charts = {path.parent.name for path in ROOT.glob("charts/*/Chart.yaml")}
    assert charts == {part.chart for part in COMPONENTS} | {"common"}


@each
def test_workload_is_what_the_registry_says(part: Component) -> None:
    workload = render(**part.values).find(part.kind, part.name)
    spec = pod(workload)["spec"]
    (main,) = spec["containers"]
    ports = {port["name"]: port["containerPort"] for port in main.get("ports", [])}
    assert ports == part.ports
    assert spec.get("hostNetwork", False) == part.host_network
    assert spec["automountServiceAccountToken"] == part.token
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= main.keys() or not part.probed


@each
def test_service_leads_to_the_container(part: Component) -> None:
    objects = render(**part.values)
    assert objects.has("Service", part.name) == bool(part.service_ports)
    if not part.service_ports:
        return
    service = objects.find("Service", part.name)["spec"]
    assert {port["name"]: port["port"] for port in service["ports"]} == part.service_ports
    assert {port["targetPort"] for port in service["ports"]} == part.ports.keys()
    assert service["selector"].items() <= pod(objects.find(part.kind, part.name))["metadata"]["labels"].items()
    assert service.get("type", "ClusterIP") == "ClusterIP"


@each
def test_service_selects_one_component_only(part: Component) -> None:
    objects = render(**part.values)
    for service in objects.of("Service"):
        selected = {
            component(workload)
            for workload in objects.workloads
            if service["spec"]["selector"].items() <= pod(workload)["metadata"].get("labels", {}).items()
        }
        assert selected == {component(service)}


@each
def test_claim_is_mounted_where_the_registry_says(part: Component) -> None:
    spec = render(**part.values).find(part.kind, part.name)["spec"]
    claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])]
    assert claims == (["data"] if part.claim else [])
    if part.claim:
        mounts = {
            mount["name"]: mount["mountPath"] for mount in spec["template"]["spec"]["containers"][0]["volumeMounts"]
        }
        assert mounts["data"] == part.claim


@each
def test_image_comes_from_the_one_registry(part: Component) -> None:
    values = {**part.values, "global": {**part.values.get("global", {}), "image": {"registry": "mirror.example/a"}}}
    for container in containers(render(**values).find(part.kind, part.name)):
        assert container["image"].startswith("mirror.example/a/triptych/")


@each
def test_plain_names_are_the_components_names(part: Component) -> None:
    values = {**part.values, "global": {**part.values.get("global", {}), "plainNames": True}}
    name = render(**values).find(part.kind, part.name)["metadata"]["name"]
    assert name == part.name or part.hashed and name.startswith(f"{part.name}-")
    long = render(**part.values).find(part.kind, part.name)["metadata"]["name"]
    assert long == f"demo-{name}" or part.hashed and long.startswith(f"demo-{part.name}-")


def test_longest_release_name_leaves_names_apart_and_short() -> None:
    objects = parse(render_text(("values-production.yaml",), release="r" * 53))
    names = [(item["kind"], item["metadata"]["name"]) for item in objects]
    assert len(set(names)) == len(names) == len(render("values-production.yaml"))
    assert all(len(name) <= 63 for _, name in names)
    # A StatefulSet's name gets 11 characters of revision in a label of its pods.
    assert all(len(name) <= 52 for kind, name in names if kind == "StatefulSet")


def test_versions_agree() -> None:
    pins = dict(line.split("=", 1) for line in (ROOT / "ci/versions.env").read_text().splitlines() if "=" in line)
    for path in [ROOT / "Chart.yaml", *ROOT.glob("charts/*/Chart.yaml")]:
        chart = yaml.safe_load(path.read_text())
        assert chart["version"] == chart["appVersion"] == pins["PLATFORM_VERSION"], path
        assert {d["version"] for d in chart.get("dependencies", [])} <= {chart["version"]}, path
