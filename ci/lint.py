#!/usr/bin/env python3
"""Run every linter, tell which failed, and exit 1 if one did. `python3 ci/lint.py ruff ct` runs only these."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import node_packages
from common import ROOT, CiError, log, main_guard, output, run, tool, tools_path

SHELLS = ("sh", "bash", "dash")
# The module ci/tools/kubectl is compiled by ci/tools.py: vetting it would compile Kubernetes once more.
GO_BACKEND = ROOT / "images" / "go-backend"
Command = tuple[list[str], Path]  # arguments and working directory


def files() -> list[Path]:
    """Every file of the work tree that git knows or would add, relative to its root."""
    listed = output("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT)
    return sorted(Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file())


def is_shell(path: Path) -> bool:
    """Whether a file is a shell script, by its name or first line."""
    with (ROOT / path).open("rb") as handle:
        first = handle.readline(80).decode(errors="replace").split()
    program = Path(first[-1]).name if first and first[0].startswith("#!") else ""
    return path.suffix == ".sh" or program in SHELLS


def is_binary(path: Path) -> bool:
    """Whether a file holds a zero byte among its first 8000, which is how git tells."""
    with (ROOT / path).open("rb") as handle:
        return b"\0" in handle.read(8000)


def binaries() -> Iterator[Command]:
    """Pictures of the documentation alone: a package left in the tree would be committed, then shipped in the chart."""
    found = [str(path) for path in files() if not path.match("docs/screenshots/*.webp") and is_binary(path)]
    if found:
        say = 'printf "%s is binary: delete it, or add it to .gitignore and .helmignore\\n" "$@"; exit 1'
        yield ["bash", "-c", say, "binaries", *found], ROOT


def ruff() -> Iterator[Command]:
    yield ["ruff", "check", "--quiet", "."], ROOT
    yield ["ruff", "format", "--check", "--quiet", "--diff", "."], ROOT


def yamllint() -> Iterator[Command]:
    documents = [str(path) for path in files() if path.suffix in {".yaml", ".yml"}]
    yield ["yamllint", "--strict", "--config-file", "ci/yamllint.yaml", *documents], ROOT


def helm() -> Iterator[Command]:
    for values in sorted(ROOT.glob("values-*.yaml")) + sorted(ROOT.glob("ci/*-values.yaml")):
        yield ["helm", "lint", "--strict", "--quiet", ".", "--values", str(values.relative_to(ROOT))], ROOT


def ct() -> Iterator[Command]:
    yield ["ct", "lint", "--config", "ci/ct.yaml"], ROOT


def shell() -> Iterator[Command]:
    scripts = [str(path) for path in files() if is_shell(path)]
    for script in scripts:
        yield ["bash", "-n", script], ROOT
    yield ["shellcheck", "--external-sources", *scripts], ROOT


def go() -> Iterator[Command]:
    sources = [str(path) for path in files() if path.suffix == ".go"]
    yield ["bash", "-c", 'test -z "$(gofmt -d "$@" | tee /dev/stderr)"', "gofmt", *sources], ROOT
    yield ["go", "generate", "./..."], GO_BACKEND
    yield ["go", "vet", "./..."], GO_BACKEND


def proto() -> Iterator[Command]:
    buf = ["go", "tool", "-modfile=tools/go.mod", "buf"]
    yield [*buf, "lint"], GO_BACKEND
    yield ["make", "--silent", "proto-check"], GO_BACKEND
    with tempfile.TemporaryDirectory() as folder:
        released = released_api(Path(folder))
        yield [*buf, "breaking", "--against", str(released)], GO_BACKEND


def released_api(folder: Path) -> Path:
    """The gRPC API of the newest release, or of the last commit before the first release, below `folder`."""
    tags = output("git", "tag", "--list", "v*", "--merged", "HEAD", "--sort=-version:refname", cwd=ROOT).split()
    module = "images/go-backend"
    archive = folder / "api.tar"
    paths = [f"{module}/buf.yaml", f"{module}/proto"]
    run("git", "archive", "--output", archive, (tags or ["HEAD"])[0], *paths, cwd=ROOT)
    shutil.unpack_archive(archive, folder, filter="data")
    return folder / module


def webui() -> Iterator[Command]:
    node_packages.ensure()
    yield ["npm", "run", "--silent", "lint"], node_packages.WEBUI
    yield [sys.executable, "ci/openapi.py", "--check"], ROOT


LINTERS: dict[str, Callable[[], Iterator[Command]]] = {
    linter.__name__: linter for linter in (binaries, ruff, yamllint, shell, helm, ct, go, proto, webui)
}


def fix() -> None:
    """Change in place what a linter would refuse and can mend by itself."""
    run(tool("ruff"), "check", "--quiet", "--fix", "--exit-zero", ".", cwd=ROOT)
    run(tool("ruff"), "format", "--quiet", ".", cwd=ROOT)
    run("gofmt", "-w", *(path for path in files() if path.suffix == ".go"), cwd=ROOT)


def passes(name: str) -> bool:
    """Run the commands of one linter, all of them, and show the output of those that fail."""
    start, failed = time.monotonic(), 0
    for command, directory in LINTERS[name]():
        result = subprocess.run(
            command,
            check=False,
            cwd=directory,
            env={**os.environ, **tools_path()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if result.returncode:
            failed += 1
            print(f"$ {' '.join(command[:8])}\n{result.stdout}", flush=True)
    log(f"{name}: {'failed' if failed else 'ok'} ({time.monotonic() - start:.0f} s)")
    return not failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("linters", nargs="*", metavar="linter", help=f"which to run: {' '.join(LINTERS)}")
    parser.add_argument("--fix", action="store_true", help="first mend Python and Go sources in place")
    options = parser.parse_args()
    names = options.linters or list(LINTERS)
    if unknown := sorted(set(names) - set(LINTERS)):
        raise CiError(f"no linter named {', '.join(unknown)}; there are: {', '.join(LINTERS)}")
    tool("helm")  # says at once when the tools are not built
    if options.fix:
        fix()
    # The slowest, on one core, beside all the others.
    with ThreadPoolExecutor() as pool:
        beside = {name: pool.submit(passes, name) for name in names if name == webui.__name__}
        passed = {name: passes(name) for name in names if name not in beside}
        passed |= {name: result.result() for name, result in beside.items()}
    if failed := [name for name in names if not passed[name]]:
        raise CiError(f"{len(failed)} of {len(names)} linters failed: {', '.join(failed)}")
    log(f"all {len(names)} linters pass: {', '.join(names)}")


if __name__ == "__main__":
    main_guard(main)
