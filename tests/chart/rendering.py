"""Renders the chart, each combination of values once per test process."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

from common import ROOT, tool

RELEASE = "demo"
NAMESPACE = "somewhere"
VALUES_FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("values-*.yaml"))
CI_FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("ci/*-values.yaml"))
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"}
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RenderError(Exception):
    """Helm refused the values; the text is its message."""


@cache
def render_text(
    files: tuple[str, ...] = (), values: str = "{}", helm: str = "helm", chart: Path = ROOT, release: str = RELEASE
) -> str:
    """Output of `helm template`.

    Args:
        files: values files, relative to the repository's root.
        values: more values, as JSON.
        helm: name of the pinned tool, `helm` or `helm3`.
        chart: folder or package of the chart.
        release: name of the release.

    Raises:
        RenderError: Helm refused.
    """
    command = [tool(helm), "template", release, str(chart), "--namespace", NAMESPACE, "--kube-version", "1.35.0"]
    for file in files:
        command += ["--values", str(ROOT / file)]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as extra:
        extra.write(values)
        extra.flush()
        result = subprocess.run([*command, "--values", extra.name], check=False, capture_output=True, text=True)
    if result.returncode:
        raise RenderError(result.stderr)
    return result.stdout


@cache
def parse(text: str) -> tuple[dict, ...]:
    """Objects of a stream of YAML documents."""
    return tuple(document for document in yaml.load_all(text, LOADER) if document)


def render(*files: str, helm: str = "helm", **values) -> Objects:
    """Objects rendered from values files and nested values (`global_` stands for `global`, `_` in chart names for `-`)."""
    values = {CHART_KEYS.get(key, key): value for key, value in values.items()}
    return Objects(parse(render_text(files, json.dumps(values, sort_keys=True), helm)))


CHART_KEYS = {"global_": "global", "flask_backend": "flask-backend", "go_backend": "go-backend"}


class Objects(list):
    """Rendered objects, found by kind and name."""

    def of(self, *kinds: str) -> Objects:
        return Objects(item for item in self if item["kind"] in kinds)

    def find(self, kind: str, name: str) -> dict:
        """The one object of this kind with this name, or whose generated name starts with it."""
        for item in self.of(kind):
            if item["metadata"]["name"] in (name, f"{RELEASE}-{name}"):
                return item
        found = [item for item in self.of(kind) if component(item) == name]
        assert len(found) == 1, f"{len(found)} of {kind} {name}"
        return found[0]

    def has(self, kind: str, name: str) -> bool:
        return any(component(item) == name for item in self.of(kind))

    @property
    def workloads(self) -> Objects:
        return self.of(*WORKLOADS)


def component(item: dict) -> str:
    """Name of the component that an object belongs to; empty for an extra object."""
    return item["metadata"].get("labels", {}).get("app.kubernetes.io/name", "")


def pod(workload: dict) -> dict:
    """Pod (metadata and spec) of a workload or of a bare Pod."""
    if workload["kind"] == "Pod":
        return workload
    spec = workload["spec"]
    return spec.get("jobTemplate", {"spec": spec})["spec"]["template"]


def containers(workload: dict) -> list[dict]:
    """All containers of a workload, the initial ones first."""
    spec = pod(workload)["spec"]
    return spec.get("initContainers", []) + spec["containers"]


def environment(container: dict) -> dict[str, str]:
    """Plain environment variables of a container."""
    return {entry["name"]: entry.get("value") for entry in container.get("env", [])}


def leaves(tree: dict, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Paths and values of everything in nested values that is not itself a filled mapping."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def nested(path: tuple[str, ...], value: object) -> dict:
    """`{"a": {"b": value}}` for the path `("a", "b")`."""
    for key in reversed(path):
        value = {key: value}
    return value


def merged(first: dict, second: dict) -> dict:
    """Two nested values in one, the second on top."""
    result = dict(first)
    for key, value in second.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result
