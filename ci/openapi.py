#!/usr/bin/env python3
"""Regenerate the web UI's types of the API (`images/webui/src/api/schema.ts`) from the backend's OpenAPI document.

`--check` changes nothing and exits 1 when they are not what the backend says.
"""

from __future__ import annotations

import argparse
import difflib
import os
import tempfile
from pathlib import Path

import virtualenv
from common import ROOT, CiError, log, main_guard, output, run

BACKEND = ROOT / "images" / "flask-backend"
WEBUI = ROOT / "images" / "webui"
SCHEMA = WEBUI / "src" / "api" / "schema.ts"


def generated(folder: Path) -> str:
    """The types of the API as the sources of the backend have it now."""
    python = virtualenv.ensure(BACKEND / "requirements-dev.txt")
    document, types = folder / "openapi.json", folder / "schema.ts"
    settings = {"ENVIRONMENT": "alpha", "DB_TYPE": "sqlite", "PYTHONPATH": str(BACKEND / "src")}
    document.write_text(output(python, "-m", "backend", "openapi", env={**os.environ, **settings}))
    options = ["--default-non-nullable", "false", "--output", types]
    run("npx", "--no-install", "openapi-typescript", document, *options, cwd=WEBUI, quiet=True)
    return types.read_text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 at a difference")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        new = generated(Path(folder))
    old = SCHEMA.read_text()
    name = SCHEMA.relative_to(ROOT)
    if not options.check:
        SCHEMA.write_text(new)
        log(f"{name}: {'unchanged' if new == old else 'written'}")
    elif new != old:
        difference = "\n".join(list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1))[:40])
        raise CiError(f"{name} is not what the backend says; run: python3 ci/openapi.py\n{difference}")


if __name__ == "__main__":
    main_guard(main)
