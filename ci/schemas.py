#!/usr/bin/env python3
"""Strict JSON schemas of every served Kubernetes version, and kubeconform run with them.

They are made from the OpenAPI document inside the Go module k8s.io/kubernetes, so no schema registry
is needed. `python3 ci/schemas.py` makes them all; `python3 ci/schemas.py FILE…` checks manifests.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cache import cached_file
from common import CACHE, VERSIONS, CiError, log, main_guard, output, run, tool

KUBERNETES_VERSIONS = VERSIONS["SCHEMA_KUBERNETES_VERSIONS"].split()
REFERENCE = "#/definitions/"
ANNOTATIONS = {"description", "default"}
# What the OpenAPI document calls a string but the API server also reads in other JSON types.
REPLACED = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {
        "type": ["string", "number"],
        "pattern": r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$",
    },
}


def schema_location(version: str) -> str:
    """Value of kubeconform's `-schema-location` for a Kubernetes version; makes the schemas when absent.

    Args:
        version: as in `SCHEMA_KUBERNETES_VERSIONS`, for example `v1.35.4`.

    Raises:
        CiError: the Go module of that version cannot be downloaded.
    """
    return location(schema_directory(version))


def schema_directory(version: str) -> Path:
    """Folder with the schemas of a Kubernetes version, made when absent."""
    return cached_file(CACHE / "schemas" / f"{version}-{recipe()}", functools.partial(write_schemas, version))


def location(directory: Path) -> str:
    """Value of `-schema-location` for files named by `file_name`."""
    return f"{directory}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"


def kubeconform(manifests: str | list[Path], version: str, *more_locations: str) -> list[str]:
    """Check Kubernetes objects strictly against the schemas of one version.

    Args:
        manifests: YAML text, or paths of files and folders.
        version: as in `SCHEMA_KUBERNETES_VERSIONS`.
        more_locations: of schemas of kinds that are no part of Kubernetes (`custom_resources.schema_location`).

    Returns:
        One line for every fault, `<kind> <name>: <path>: <what is wrong>`; empty when all is well.
        An object without a schema is a fault, and so is input without any object.

    Raises:
        CiError: kubeconform is not built, or does not run.
    """
    options = ["-strict", "-summary", "-output", "json"]
    for place in (schema_location(version), *more_locations):
        options += ["-schema-location", place]
    text = manifests if isinstance(manifests, str) else None
    paths = [str(path) for path in manifests] if text is None else ["-"]
    command = [tool("kubeconform"), *options, *paths]
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    try:
        report = json.loads(result.stdout)
    except ValueError as error:
        raise CiError(f"kubeconform failed: {result.stderr.strip() or result.stdout.strip()}") from error
    if not any(report["summary"].values()):
        return ["there is no object to check"]
    return [line for resource in report["resources"] or [] for line in faults(resource)]


def faults(resource: dict) -> Iterator[str]:
    """Lines for one resource of kubeconform's report, which lists only the faulty ones."""
    subject = f"{resource['kind']} {resource['name']}".strip() or resource["filename"]
    details = resource.get("validationErrors") or []
    for detail in details:
        yield f"{subject}: {detail['path'] or '/'}: {detail['msg']}"
    if not details:
        yield f"{subject}: {resource['msg']}"


def recipe(*more_files: Path) -> str:
    """Key of this file and others, so that a changed conversion makes the schemas anew."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in (Path(__file__), *more_files))).hexdigest()[:8]


def write_schemas(version: str, directory: Path) -> None:
    """Write one self-contained schema for every kind of a Kubernetes version."""
    log(f"making the schemas of Kubernetes {version} …")
    definitions = openapi(version)["definitions"]
    strict = {name: REPLACED.get(name) or convert(schema) for name, schema in definitions.items()}
    directory.mkdir()
    for name, schema in definitions.items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            text = json.dumps(standalone(name, strict), separators=(",", ":"))
            (directory / file_name(**kind)).write_text(text)


def file_name(group: str, version: str, kind: str) -> str:
    """Name under which kubeconform looks a kind up: `deployment-apps-v1.json`, `service-v1.json`."""
    suffix = [group.split(".")[0]] if group else []
    return "-".join([kind.lower(), *suffix, version]).lower() + ".json"


def standalone(name: str, definitions: dict) -> dict:
    """A schema document that needs no other.

    References are replaced by what they refer to, because kubeconform's messages do not reach beyond
    a reference; only a definition that contains itself stays one.
    """
    schema = inline({"$ref": REFERENCE + name}, definitions)
    reached, waiting = {}, list(references(schema))
    while waiting:
        current = waiting.pop()
        if current not in reached:
            reached[current] = definitions[current]
            waiting += references(definitions[current])
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema, "definitions": reached}


def inline(schema: object, definitions: dict, inside: tuple[str, ...] = ()) -> object:
    """The schema without references, but for those to a definition it is already `inside` of."""
    if not isinstance(schema, dict):
        return schema
    target = schema.get("$ref")
    if isinstance(target, str):
        name = target.removeprefix(REFERENCE)
        return {"$ref": target} if name in inside else inline(definitions[name], definitions, (*inside, name))
    return {key: inline(part, definitions, inside) for key, part in schema.items()}


def references(schema: object) -> Iterator[str]:
    """Names of the definitions a schema refers to."""
    if isinstance(schema, dict):
        target = schema.get("$ref")
        if isinstance(target, str):
            yield target.removeprefix(REFERENCE)
        for part in schema.values():
            yield from references(part)


def convert(schema: dict) -> dict:
    """An OpenAPI schema as a strict JSON schema: unknown fields refused wherever fields are listed."""
    result = {
        key: value for key, value in schema.items() if key not in ANNOTATIONS and not key.startswith("x-kubernetes-")
    }
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), dict):
            result[key] = convert(result[key])
    if "properties" not in schema:
        return result
    result["properties"] = {name: convert(part) for name, part in schema["properties"].items()}
    if not schema.get("x-kubernetes-preserve-unknown-fields"):
        result.setdefault("additionalProperties", False)
    return result


def openapi(version: str) -> dict:
    """The OpenAPI (Swagger 2) document of a Kubernetes version."""
    if not re.fullmatch(r"v1\.\d+\.\d+", version):
        raise CiError(f"{version!r} in SCHEMA_KUBERNETES_VERSIONS is no Kubernetes version like v1.35.4")
    return json.loads(module_file("k8s.io/kubernetes", version, "api/openapi-spec/swagger.json"))


def module_file(module: str, version: str, path: str) -> str:
    """Text of a file in a Go module.

    The module is read from Go's own cache when it is there, and otherwise downloaded (Kubernetes: 35 MB)
    into a temporary one, because nothing but this file is wanted of it.

    Raises:
        CiError: the module cannot be downloaded.
    """
    inside = Path(f"{module}@{version}", path)
    cached = Path(output("go", "env", "GOMODCACHE", cwd="/")) / inside
    if cached.exists():
        return cached.read_text()
    with tempfile.TemporaryDirectory(prefix="triptych-schemas-") as directory:
        environment = {"GOMODCACHE": directory, "GOFLAGS": "-modcacherw"}
        run("go", "mod", "download", f"{module}@{version}", quiet=True, cwd="/", env=environment)
        return (Path(directory) / inside).read_text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="manifests to check; - reads standard input")
    files = parser.parse_args().files
    manifests = sys.stdin.read() if files == [Path("-")] else files
    faulty = False
    for version in KUBERNETES_VERSIONS:
        lines = kubeconform(manifests, version) if files else []
        print(f"{version}: {schema_location(version)}" if not files else f"{version}: {len(lines)} faults")
        print(*(f"  {line}" for line in lines), sep="\n" if lines else "", end="\n" if lines else "")
        faulty = faulty or bool(lines)
    if faulty:
        raise CiError("some objects do not fit their Kubernetes schema")


if __name__ == "__main__":
    main_guard(main)
