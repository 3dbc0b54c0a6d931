#!/usr/bin/env python3
"""Build the pinned command line tools once into the cache and link them as one set.

Every tool comes from the Go module proxy or from PyPI; no binary is downloaded from elsewhere.
`python3 ci/tools.py` builds what is missing, `python3 ci/tools.py helm kind` only these,
`python3 ci/tools.py --list` prints the pins.
"""

from __future__ import annotations

import argparse
import fcntl
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common import CACHE, REQUIREMENTS, CiError, log, main_guard, python_home, run, tools_key
from go_tools import GO_TOOLS, build

PYTHON = "python"  # the set of Python tools, as one
PYTHON_PROGRAMS = ("yamllint", "yamale", "ruff", "shellcheck", "pytest")


@contextmanager
def lock() -> Iterator[None]:
    """Let one process at a time write to the cache of tools."""
    path = CACHE / "tools" / ".lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("waiting for another run of ci/tools.py …")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build_python() -> None:
    """Make the virtual environment of `ci/python/requirements.txt`; a failure leaves none behind."""
    home = python_home()
    log("installing the Python tools …")
    shutil.rmtree(home, ignore_errors=True)
    try:
        run(sys.executable, "-m", "venv", home, quiet=True)
        pip = [home / "bin" / "pip", "--disable-pip-version-check", "install", "--no-deps", "--only-binary=:all:"]
        run(*pip, "--require-hashes", "-r", REQUIREMENTS, quiet=True)
        (home / "complete").touch()
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise


def missing(names: list[str]) -> Iterator[tuple]:
    """Pairs of function and arguments that build what the cache lacks."""
    for tool in GO_TOOLS:
        if tool.name in names and not tool.binary.exists():
            yield build, tool
    if PYTHON in names and not (python_home() / "complete").exists():
        yield (build_python,)


def link(names: list[str]) -> Path:
    """Link the built programs into the directory of this set of tools and return it."""
    directory = CACHE / "bin" / tools_key()
    directory.mkdir(parents=True, exist_ok=True)
    targets = {tool.name: tool.binary for tool in GO_TOOLS if tool.name in names}
    if PYTHON in names:
        targets |= {name: python_home() / "bin" / name for name in PYTHON_PROGRAMS}
    for name, target in targets.items():
        if not target.exists():
            raise CiError(f"{target} is missing after the build; delete {target.parent} and run: make tools")
        temporary = directory / f".{name}"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.rename(directory / name)
    return directory


def main() -> None:
    names = [tool.name for tool in GO_TOOLS] + [PYTHON]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help=f"tools to build: {' '.join(names)}")
    parser.add_argument("--list", action="store_true", help="print every tool with its version and exit")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{tool.name} {tool.version}" for tool in GO_TOOLS))
        return
    wanted = arguments.names or names
    if unknown := sorted(set(wanted) - set(names)):
        raise CiError(f"no tool named {', '.join(unknown)}; there are: {', '.join(names)}")
    if not shutil.which("go"):
        raise CiError("Go is not installed; run: bash ci/prerequisites.sh")
    with lock():
        built = 0
        for function, *parameters in missing(wanted):
            function(*parameters)
            built += 1
        directory = link(wanted)
    log(f"tools are ready in {directory} ({built} built now)")


if __name__ == "__main__":
    main_guard(main)
