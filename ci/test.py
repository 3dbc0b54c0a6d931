#!/usr/bin/env python3
"""Runs the layers of tests, fast ones first, and prints what each took. `make help` names the layers."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import cluster
import images
import node_packages
import release
import virtualenv
from common import BUILD, ROOT, CiError, log, main_guard, python, tool, tools_path

TARGET = release.TEST


@dataclass(frozen=True)
class Result:
    """How a layer ended: its name, wall seconds, tests passed and the error, empty when it is green."""

    layer: str
    seconds: float
    passed: int
    error: str


class Layer:
    """Commands of one layer; counts the tests that their closing lines report."""

    # pytest and vitest close with "12 passed"; `go test -v` prints a "--- PASS" line for each test, ct one for each
    # release that it removes after its tests.
    CLOSING = re.compile(
        r"^(?:=+ |\s*Tests  )?(?:\d+ [a-z]+(?:, | \| ))*(\d+) passed|^\s*(--- PASS|Deleting release)", re.MULTILINE
    )
    ANSI = re.compile(r"\x1b\[[0-9;]*m")

    def __init__(self) -> None:
        self.passed = 0

    def __call__(self, *command, **options) -> None:
        """Run one command, its output shown as it comes."""
        argv = [str(part) for part in command]
        shown, started = " ".join(argv[:8]), time.monotonic()
        log(shown)
        env = os.environ | tools_path() | options.pop("env", {})
        process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, cwd=options.get("cwd", ROOT)
        )
        for line in process.stdout:
            sys.stdout.write(line)
            for count, single in self.CLOSING.findall(self.ANSI.sub("", line)):
                self.passed += int(count) if count else bool(single)
        sys.stdout.flush()
        if process.wait():
            raise CiError(f"{shown} failed with exit code {process.returncode}")
        log(f"{time.monotonic() - started:.0f} s: {shown}")


def lint(layer: Layer) -> None:
    layer(sys.executable, "ci/lint.py")


def unit(layer: Layer) -> None:
    layer(python(), "-m", "pytest", "ci")
    backend = ROOT / "images" / "flask-backend"
    interpreter = virtualenv.ensure(backend / "requirements-dev.txt")
    # One process more than cores: the files that start servers wait for them.
    layer(interpreter, "-m", "pytest", "-n", "3", "--dist", "loadfile", "tests/unit", cwd=backend)
    go_backend = ROOT / "images" / "go-backend"
    layer("go", "generate", "./...", cwd=go_backend)
    cluster.reserve_hugepages()  # a pool of slots is tried with them where the machine has them
    layer("go", "test", "-v", "./...", cwd=go_backend)
    layer("make", "test-race", cwd=go_backend, env={"CC": "clang"})  # clang is a prerequisite, gcc is not
    node_packages.ensure()
    layer("npm", "test", cwd=node_packages.WEBUI)


def chart(layer: Layer) -> None:
    layer(python(), "-m", "pytest", "-n", "2", "tests/chart")


def integration(layer: Layer) -> None:
    images.build_all()
    layer(python(), "-m", "pytest", "-n", "2", "images/tests")
    backend = ROOT / "images" / "flask-backend"
    interpreter = virtualenv.ensure(backend / "requirements-dev.txt")
    # One process per database server: each waits for its disk half of the time.
    layer(interpreter, "-m", "pytest", "-n", "3", "--dist", "loadgroup", "tests/integration", cwd=backend)


def ensure_cluster() -> None:
    built = images.build_all()
    cluster.up(TARGET.name, TARGET.port, TARGET.kubeconfig)
    cluster.load(TARGET.name, built)


def on_cluster(layer: Layer, *paths: str) -> None:
    ensure_cluster()
    layer(
        python(), "-m", "pytest", *paths, "--kubeconfig", TARGET.kubeconfig, "--chart-path", ROOT,
        env={"KUBECONFIG": str(TARGET.kubeconfig)},
    )  # fmt: skip


def cluster_tests(layer: Layer) -> None:
    layer(python(), "-m", "pytest", "tests/scheduling")
    on_cluster(layer, "tests/cluster", "tests/resilience")


def e2e(layer: Layer) -> None:
    on_cluster(layer, "tests/e2e")


def chart_testing(layer: Layer) -> None:
    ensure_cluster()
    # The alpha release owns the node ports that ci/fast-path-values.yaml also wants to try.
    if release.status(TARGET)[0] != "absent":
        TARGET.helm("uninstall", release.RELEASE, "--wait")
    layer(
        tool("ct"), "install", "--config", "ci/ct.yaml", "--chart-dirs", ".", "--charts", ".",
        "--helm-extra-args", "--timeout 5m", env={"KUBECONFIG": str(TARGET.kubeconfig)},
    )  # fmt: skip


LAYERS: dict[str, Callable[[Layer], None]] = {
    "lint": lint,
    "unit": unit,
    "chart": chart,
    "integration": integration,
    "cluster": cluster_tests,
    "e2e": e2e,
    "ct": chart_testing,
}
NEEDS_CLUSTER = {"cluster", "e2e", "ct"}


def run_layer(name: str) -> Result:
    """Run one layer; a failure is part of the result."""
    log(f"layer {name}")
    layer, started, error = Layer(), time.monotonic(), ""
    try:
        LAYERS[name](layer)
    except CiError as failure:
        error = str(failure)
        print(f"error: {error}", file=sys.stderr)
    return Result(name, time.monotonic() - started, layer.passed, error)


def summary(results: list[Result]) -> str:
    """A table of the layers, then the line that CI reads."""
    rows = [f"{r.layer:<12} {r.passed:>5} passed {r.seconds:>7.0f} s  {r.error or 'ok'}" for r in results]
    failed = sum(bool(r.error) for r in results)
    return "\n".join(["", *rows, "", f"{sum(r.passed for r in results)} passed, {failed} failed"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("layer", choices=[*LAYERS, "all"])
    parser.add_argument("--keep-cluster", action="store_true", help="leave the test cluster running for the next call")
    options = parser.parse_args()
    names = list(LAYERS) if options.layer == "all" else [options.layer]
    BUILD.mkdir(exist_ok=True)
    results = []
    try:
        for name in names:
            results.append(run_layer(name))
            if results[-1].error:
                break
    finally:
        if NEEDS_CLUSTER & set(names) and not options.keep_cluster:
            cluster.down(TARGET.name, TARGET.kubeconfig)
    print(summary(results), flush=True)
    if any(result.error for result in results):
        raise CiError("tests failed; the layer above says which")


if __name__ == "__main__":
    main_guard(main)
