"""Virtual environments of hashed requirements, made once and kept in the cache by content."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from cache import locked
from common import log, python_home, run


def ensure(requirements: Path) -> Path:
    """The interpreter of an environment with exactly these requirements, installed at first use.

    Raises:
        CiError: a package could not be installed; nothing half-made is left behind.
    """
    folder = python_home(requirements)
    complete = folder / "complete"
    with locked(folder):
        if not complete.exists():
            log(f"installing {requirements.parent.name}/{requirements.name}")
            shutil.rmtree(folder, ignore_errors=True)
            run(sys.executable, "-m", "venv", folder, quiet=True)
            options = ["--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--require-hashes"]
            run(folder / "bin" / "pip", "install", *options, "--requirement", requirements, quiet=True)
            complete.touch()
    return folder / "bin" / "python"
