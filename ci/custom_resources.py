"""Strict JSON schemas of the custom resources that the chart can make, from their definitions in Go modules."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import yaml

import schemas
from cache import cached_file
from common import CACHE, VERSIONS, log

# Module, its pinned version, and the files with the definitions.
OPERATOR = ("github.com/prometheus-operator/prometheus-operator", VERSIONS["PROMETHEUS_OPERATOR_VERSION"])
NFD = ("sigs.k8s.io/node-feature-discovery", VERSIONS["NODE_FEATURE_DISCOVERY_VERSION"])
SOURCES = (
    (*OPERATOR, "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"),
    (*NFD, "deployment/base/nfd-crds/nfd-api-crds.yaml"),
)


@functools.cache
def schema_location() -> str:
    """Value of kubeconform's `-schema-location` for these kinds; makes the schemas when absent.

    Raises:
        CiError: a Go module cannot be downloaded.
    """
    name = f"custom-{OPERATOR[1]}-{NFD[1]}-{schemas.recipe(Path(__file__))}"
    return schemas.location(cached_file(CACHE / "schemas" / name, write_schemas))


def write_schemas(directory: Path) -> None:
    """Write one schema for every version of every kind that the modules define."""
    log("making the schemas of custom resources …")
    # A definition leaves the metadata to Kubernetes: it is that of any other object.
    known = schemas.schema_directory(schemas.KUBERNETES_VERSIONS[0]) / "configmap-v1.json"
    metadata = json.loads(known.read_text())["properties"]["metadata"]
    directory.mkdir()
    for source in SOURCES:
        for definition in yaml.safe_load_all(schemas.module_file(*source)):
            write_versions(definition["spec"], metadata, directory)


def write_versions(spec: dict, metadata: dict, directory: Path) -> None:
    """Write the schemas of one CustomResourceDefinition."""
    for version in spec["versions"]:
        schema = schemas.convert(version["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = metadata
        name = schemas.file_name(spec["group"], version["name"], spec["names"]["kind"])
        (directory / name).write_text(json.dumps(schema))
