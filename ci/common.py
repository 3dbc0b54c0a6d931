"""Paths, versions, logging and process helpers shared by every script in `ci/` and by the tests."""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
CACHE = Path(
    os.environ.get("TRIPTYCH_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "triptych"
)

# Go and Node.js of hosts that have none (ci/prerequisites.sh); every program started from here finds them.
os.environ["PATH"] = f"{CACHE / 'toolchains' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
REQUIREMENTS = ROOT / "ci" / "python" / "requirements.txt"


class CiError(Exception):
    """A failure the user can act on: its text is the one line that `main_guard` prints."""


def versions() -> dict[str, str]:
    """All pins of `ci/versions.env`, by name."""
    lines = (ROOT / "ci" / "versions.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


VERSIONS = versions()


def log(message: str) -> None:
    """Print a progress line to stderr, so that stdout stays usable by other programs."""
    prefix = "\033[33m▸\033[0m" if sys.stderr.isatty() else "▸"
    print(f"{prefix} {message}", file=sys.stderr, flush=True)


def tool(name: str) -> str:
    """Path of a pinned tool built by `ci/tools.py`.

    Raises:
        CiError: the tool has not been built yet.
    """
    path = tools_directory() / name
    if not path.exists():
        raise CiError(f"{name} is not built yet; run: make tools")
    return str(path)


def tools_key() -> str:
    """Directory name of one complete set of tools: a hash of everything that pins them."""
    digest = hashlib.sha256((ROOT / "ci" / "versions.env").read_bytes() + REQUIREMENTS.read_bytes())
    for path in sorted((ROOT / "ci" / "tools").rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def tools_directory() -> Path:
    """Directory with links to every tool of this set."""
    return CACHE / "bin" / tools_key()


def tools_path() -> dict[str, str]:
    """Environment in which programs find the pinned tools before any other of the same name."""
    return {"PATH": f"{tools_directory()}{os.pathsep}{os.environ['PATH']}"}


def python_home(requirements: Path = REQUIREMENTS) -> Path:
    """Virtual environment of a requirements file: by default of the Python tools and test libraries."""
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode())
    return CACHE / "python" / digest.hexdigest()[:16]


def python() -> str:
    """Path of the interpreter that has the test libraries of `ci/python/requirements.in`.

    Raises:
        CiError: it has not been made yet.
    """
    path = python_home() / "bin" / "python"
    if not path.exists():
        raise CiError("the Python tools are not installed yet; run: make tools")
    return str(path)


def run(*command: str | Path, quiet: bool = False, **options) -> subprocess.CompletedProcess:
    """Run a command, echoing it, and raise `CiError` when it fails.

    Args:
        command: program and arguments, never a shell line.
        quiet: keep the output back unless the command fails.
        options: passed to `subprocess.run` (`env` is merged over the current environment).
    """
    argv = [str(part) for part in command]
    if "env" in options:
        options["env"] = {**os.environ, **options["env"]}
    if quiet:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    result = subprocess.run(argv, check=False, **options)
    if result.returncode:
        detail = ""
        if quiet:
            print(result.stdout, file=sys.stderr)
        elif options.get("stderr") == subprocess.PIPE or options.get("capture_output"):
            stderr = result.stderr if isinstance(result.stderr, str) else result.stderr.decode(errors="replace")
            detail = f": {stderr.strip()}"
        raise CiError(f"{shlex.join(argv[:6])} failed with exit code {result.returncode}{detail}")
    return result


def output(*command: str | Path, **options) -> str:
    """Standard output of a command, stripped."""
    return run(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options).stdout.strip()


def main_guard(main) -> None:
    """Run `main()` and turn a `CiError` into one line on stderr and exit code 1."""
    try:
        main()
    except CiError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
