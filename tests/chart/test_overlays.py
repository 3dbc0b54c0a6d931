"""The Kustomize overlays build, and the base is what the chart renders."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from rendering import ROOT, Objects, parse

import render as generator
import schemas
from common import tool

BUILDERS = {
    "kustomize": lambda folder: [tool("kustomize"), "build", folder],
    "kubectl": lambda folder: [tool("kubectl"), "kustomize", folder],
}
COMPONENTS = sorted(path.name for path in (ROOT / "overlays/components").iterdir())
each_builder = pytest.mark.parametrize("builder", BUILDERS)


def build(builder: str, folder: Path) -> str:
    """Output of a Kustomize build.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    return subprocess.run(BUILDERS[builder](folder), check=True, capture_output=True, text=True).stdout


def objects(text: str) -> Objects:
    return Objects(parse(text))


def with_components(target: Path, *names: str) -> Path:
    """A copy of the alpha overlay that takes components."""
    shutil.copytree(ROOT / "overlays", target, dirs_exist_ok=True)
    path = target / "alpha" / "kustomization.yaml"
    path.write_text(path.read_text() + "components:\n" + "".join(f"  - ../components/{name}\n" for name in names))
    return target / "alpha"


def test_generated_files_are_current() -> None:
    assert generator.stale(generator.base() | generator.values()) == []


def test_a_change_is_found() -> None:
    files = generator.base()
    path = next(iter(files))
    assert generator.stale(files | {path: files[path] + "\n"}) == [str(path)]
    del files[path]
    assert generator.stale(files) == [str(path)]


@each_builder
def test_alpha_is_the_chart_in_its_namespace(builder: str) -> None:
    built = objects(build(builder, ROOT / "overlays/alpha"))
    base = objects("---\n".join(text for path, text in generator.base().items() if path.name != "kustomization.yaml"))
    names = {(item["kind"], item["metadata"]["name"]) for item in base}
    assert {(item["kind"], item["metadata"]["name"]) for item in built} == names | {("Namespace", "triptych")}
    assert {item["metadata"].get("namespace") for item in built if item["kind"] != "Namespace"} == {"triptych"}
    (subject,) = built.find("RoleBinding", "bootstrap-secrets")["subjects"]
    assert subject["namespace"] == "triptych"


def test_builders_agree() -> None:
    assert build("kustomize", ROOT / "overlays/alpha") == build("kubectl", ROOT / "overlays/alpha")


def test_alpha_has_no_test_pod() -> None:
    assert not objects(build("kustomize", ROOT / "overlays/alpha")).of("Pod")


@each_builder
@pytest.mark.parametrize("name", COMPONENTS)
def test_component_builds_and_fits_the_schemas(builder: str, name: str, tmp_path: Path) -> None:
    text = build(builder, with_components(tmp_path, name))
    assert text != build(builder, ROOT / "overlays/alpha")
    for version in schemas.KUBERNETES_VERSIONS:
        assert schemas.kubeconform(text, version) == []


def test_no_network_policies_removes_all(tmp_path: Path) -> None:
    assert not objects(build("kustomize", with_components(tmp_path, "no-network-policies"))).of("NetworkPolicy")


def test_autoscaling_takes_the_replicas_away(tmp_path: Path) -> None:
    built = objects(build("kustomize", with_components(tmp_path, "autoscaling")))
    scaled = {item["spec"]["scaleTargetRef"]["name"] for item in built.of("HorizontalPodAutoscaler")}
    # The worker has no load that CPU would tell of.
    deployments = [item for item in built.of("Deployment") if item["metadata"]["name"] != "flask-backend-worker"]
    assert scaled == {item["metadata"]["name"] for item in deployments}
    assert not any("replicas" in item["spec"] for item in deployments)
