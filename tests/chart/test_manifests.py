"""Every object of every values file fits the strict schemas of every served Kubernetes version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from rendering import CI_FILES, ROOT, VALUES_FILES, render, render_text

import custom_resources
import schemas

each_version = pytest.mark.parametrize("version", schemas.KUBERNETES_VERSIONS)
FAST_PATH_ON = '{"global": {"goBackend": {"enabled": true}}}'
# What makes custom resources, for operators that a cluster may have.
CUSTOM = {
    "PodMonitor": {"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
    "NodeFeatureRule": {"nfd": {"enabled": True}},
}


@each_version
@pytest.mark.parametrize("helm", ["helm", "helm3"])
@pytest.mark.parametrize("file", [*VALUES_FILES, *CI_FILES])
def test_objects_fit_their_schema(file: str, helm: str, version: str) -> None:
    assert schemas.kubeconform(render_text((file,), FAST_PATH_ON, helm), version) == []


@pytest.mark.parametrize("kind", CUSTOM)
def test_custom_resources_fit_their_definition(kind: str) -> None:
    values = {"global": {"goBackend": {"enabled": True}}, "go-backend": CUSTOM[kind]}
    text = render_text(values=json.dumps(values))
    version = schemas.KUBERNETES_VERSIONS[0]
    assert [fault for fault in schemas.kubeconform(text, version) if fault.startswith(kind)], "it is rendered"
    assert schemas.kubeconform(text, version, custom_resources.schema_location()) == []


@each_version
def test_a_wrong_field_is_found(version: str) -> None:
    """The check itself works: a field that does not exist fails it."""
    text = render_text().replace("automountServiceAccountToken: false", "automountServiceAccountTokn: false", 1)
    assert schemas.kubeconform(text, version)


@pytest.mark.parametrize("file", [*VALUES_FILES, *CI_FILES])
def test_names_are_unique(file: str) -> None:
    names = [(item["kind"], item["metadata"]["name"]) for item in render(file)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("folder", ["overlays/alpha", "overlays/components/autoscaling"])
def test_kustomizations_list_files_that_exist(folder: str) -> None:
    path = ROOT / folder
    for resource in yaml.safe_load((path / "kustomization.yaml").read_text())["resources"]:
        assert (path / resource).exists()


def test_no_object_names_its_namespace() -> None:
    """Helm, Argo CD and Kustomize put the platform where they are told to."""
    for file in VALUES_FILES:
        assert not any("namespace" in item["metadata"] for item in render(file))


def test_templates_are_small() -> None:
    for path in [*ROOT.glob("templates/*"), *ROOT.glob("charts/*/templates/**/*")]:
        assert not Path(path).is_file() or len(path.read_text().splitlines()) <= 400, path
