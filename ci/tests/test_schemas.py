"""Objects that Kubernetes would take pass, and a typo anywhere in one is found."""

import json
import re

import pytest

import custom_resources
import schemas
from common import ROOT, VERSIONS

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"any": "label"}, "annotations": {"any/annotation": "text"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "example/web:1",
                        "ports": [{"name": "http", "containerPort": 3000}],
                        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
                        "resources": {"limits": {"cpu": 1.5, "memory": "64Mi", "hugepages-2Mi": "4Mi"}},
                    }
                ]
            },
        },
    },
}
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"any-key": "text"}}
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "p"},
    "spec": {"podSelector": {}, "ingress": [{"ports": [{"protocol": "TCP", "port": 80}, {"port": "http"}]}]},
}
CUSTOM_RESOURCE_DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"kind": "Thing", "plural": "things"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"a": {"default": [1]}}}},
            }
        ],
    },
}
MONITOR = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "PodMonitor",
    "metadata": {"name": "m"},
    "spec": {"selector": {"matchLabels": {"a": "b"}}, "podMetricsEndpoints": [{"port": "http", "interval": "30s"}]},
}
RULE = {
    "apiVersion": "nfd.k8s-sigs.io/v1alpha1",
    "kind": "NodeFeatureRule",
    "metadata": {"name": "r"},
    "spec": {"rules": [{"name": "a", "labels": {"b": "true"}}]},
}
# Custom resources with one fault each, and the field that must be named.
REFUSED_CUSTOM = {
    "misspelt field": (MONITOR, "spec", {"podMetricEndpoints": [], "selector": {}}, "podMetricEndpoints"),
    "missing field": (MONITOR, "spec", {"podMetricsEndpoints": [{"port": "http"}]}, "selector"),
    "no duration": (MONITOR, "spec", {"selector": {}, "podMetricsEndpoints": [{"interval": "30"}]}, "interval"),
    "unquoted label": (MONITOR, "metadata", {"name": "m", "labels": {"a": True}}, "/metadata/labels/a"),
    "unknown operator": (
        RULE,
        "spec",
        {"rules": [{"name": "a", "matchFeatures": [{"feature": "f", "matchExpressions": {"x": {"op": "Above"}}}]}]},
        "/op",
    ),
}
CONTAINER = "spec/template/spec/containers/0"
REFUSED = {
    "misspelt field": (f"{CONTAINER}/imagePulPolicy", "Always", "imagePulPolicy"),
    "misspelt field of the kind": ("speck", {}, "speck"),
    "text for a number": ("spec/replicas", "two", "/spec/replicas"),
    "list for an object": (f"{CONTAINER}/resources", [], "/resources"),
    "unquoted label": ("metadata/labels/any", True, "/metadata/labels/any"),
    "nothing where an object belongs": ("spec/strategy", None, "/spec/strategy"),
    "wrong amount": (f"{CONTAINER}/resources/limits/memory", "64 MB", "/resources/limits/memory"),
    "fraction of a pod": ("spec/strategy/rollingUpdate/maxSurge", 0.5, "/maxSurge"),
}


def changed(path: str, value: object) -> dict:
    """The Deployment with one field set."""
    document = json.loads(json.dumps(DEPLOYMENT))
    *parents, last = path.split("/")
    part = document
    for key in parents:
        part = part[int(key) if isinstance(part, list) else key]
    part[last] = value
    return document


def check(*documents: dict, version: str = schemas.KUBERNETES_VERSIONS[0], custom: bool = False) -> list[str]:
    more = [custom_resources.schema_location()] if custom else []
    return schemas.kubeconform("\n---\n".join(map(json.dumps, documents)), version, *more)


@pytest.mark.parametrize("version", schemas.KUBERNETES_VERSIONS)
def test_good_objects_pass(version: str) -> None:
    assert check(DEPLOYMENT, SECRET, POLICY, CUSTOM_RESOURCE_DEFINITION, version=version) == []


@pytest.mark.parametrize("version", schemas.KUBERNETES_VERSIONS)
@pytest.mark.parametrize(("path", "value", "named"), REFUSED.values(), ids=REFUSED)
def test_one_wrong_field_is_named(version: str, path: str, value: object, named: str) -> None:
    faults = check(changed(path, value), SECRET, version=version)
    assert faults
    assert all(fault.startswith("Deployment web: ") for fault in faults)
    assert any(named in fault for fault in faults), faults


def test_missing_required_field_is_named() -> None:
    (fault,) = check({**DEPLOYMENT, "spec": {"template": DEPLOYMENT["spec"]["template"]}})
    assert "selector" in fault


def test_removed_api_and_unknown_kind_are_faults() -> None:
    assert check({**DEPLOYMENT, "apiVersion": "extensions/v1beta1"})
    assert check(MONITOR)


def test_custom_resources_fit_their_definition() -> None:
    assert check(MONITOR, RULE, DEPLOYMENT, custom=True) == []


@pytest.mark.parametrize(("good", "part", "value", "named"), REFUSED_CUSTOM.values(), ids=REFUSED_CUSTOM)
def test_one_wrong_field_of_a_custom_resource_is_named(good: dict, part: str, value: dict, named: str) -> None:
    (fault,) = check({**good, part: value}, DEPLOYMENT, custom=True)
    assert fault.startswith(good["kind"]) and named in fault


def test_nothing_to_check_is_a_fault() -> None:
    assert schemas.kubeconform("", schemas.KUBERNETES_VERSIONS[0]) == ["there is no object to check"]


def test_broken_yaml_is_a_fault() -> None:
    assert schemas.kubeconform("kind: [", schemas.KUBERNETES_VERSIONS[0])


def test_files_are_checked(tmp_path) -> None:
    (tmp_path / "good.yaml").write_text(json.dumps(SECRET))
    assert schemas.kubeconform([tmp_path], schemas.KUBERNETES_VERSIONS[0]) == []
    (tmp_path / "bad.yaml").write_text(json.dumps({**SECRET, "date": {}}))
    assert schemas.kubeconform([tmp_path], schemas.KUBERNETES_VERSIONS[0])


def test_version_that_is_none_is_refused() -> None:
    with pytest.raises(schemas.CiError, match="is no Kubernetes version"):
        schemas.openapi("1.35")


def test_preserved_unknown_fields_stay_allowed() -> None:
    part = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert schemas.convert(part)["additionalProperties"] is False
    assert "additionalProperties" not in schemas.convert(part | {"x-kubernetes-preserve-unknown-fields": True})


def test_nfd_is_the_same_in_schemas_and_tests() -> None:
    module = (ROOT / "tests" / "scheduling" / "nfd" / "go.mod").read_text()
    required = re.findall(r"^\tsigs\.k8s\.io/node-feature-discovery(?:/api/nfd)? (v\S+)$", module, re.MULTILINE)
    assert required == [VERSIONS["NODE_FEATURE_DISCOVERY_VERSION"]] * 2
