#!/usr/bin/env python3
"""Build the pinned command line tools once into the cache and link them as one set.

Every tool comes from the Go module proxy or from PyPI; no binary is downloaded from elsewhere.
`python3 ci/tools.py` builds what is missing, `python3 ci/tools.py helm kind` only these,
`python3 ci/tools.py --list` prints the pins.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import virtualenv
from cache import locked
from common import REQUIREMENTS, CiError, log, main_guard, python_home, tools_directory
from go_tools import GO_TOOLS, build

PYTHON = "python"  # the set of Python tools, as one
PYTHON_PROGRAMS = ("yamllint", "yamale", "ruff", "shellcheck", "pytest")


def link(names: list[str]) -> Path:
    """Link the built programs into the directory of this set of tools and return it."""
    directory = tools_directory()
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
    built = sum(build(tool) for tool in GO_TOOLS if tool.name in wanted)
    if PYTHON in wanted:
        virtualenv.ensure(REQUIREMENTS)
    with locked(tools_directory()):
        directory = link(wanted)
    log(f"tools are ready in {directory} ({built} built now)")


if __name__ == "__main__":
    main_guard(main)
