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
from common import REQUIREMENTS, CiError, log, main_guard, tools_directory
from go_tools import GO_TOOLS, build

PYTHON = "python"  # the set of Python tools, as one
PYTHON_PROGRAMS = ("yamllint", "yamale", "ruff", "shellcheck", "pytest")


def link(target: Path) -> None:
    """Put a link to a built program into the directory of this set of tools."""
    if not target.exists():
        raise CiError(f"{target} is missing after the build; delete {target.parent} and run: make tools")
    directory = tools_directory()
    with locked(directory):
        directory.mkdir(exist_ok=True)
        temporary = directory / f".{target.name}"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.rename(directory / target.name)


def make(names: list[str]) -> int:
    """Build what is missing of some tools and link them; how many programs were built from Go modules."""
    built = 0
    for tool in GO_TOOLS:
        if tool.name in names:
            built += build(tool)
            link(tool.binary)
    if PYTHON in names:
        folder = virtualenv.ensure(REQUIREMENTS).parent
        for name in PYTHON_PROGRAMS:
            link(folder / name)
    return built


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
    if built := make(wanted):
        log(f"{built} tools built; all are linked in {tools_directory()}")


if __name__ == "__main__":
    main_guard(main)
