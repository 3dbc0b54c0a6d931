"""The web UI's locked npm packages, for its linters and tests and for `make dev`."""

from __future__ import annotations

import hashlib

from common import ROOT, log, run

WEBUI = ROOT / "images" / "webui"


def ensure() -> None:
    """Install what package-lock.json names, unless just that is there already."""
    wanted = hashlib.sha256((WEBUI / "package-lock.json").read_bytes()).hexdigest()
    installed = WEBUI / "node_modules" / ".lock-sha256"
    if installed.exists() and installed.read_text() == wanted:
        return
    log("installing the web UI's npm packages")
    run("npm", "ci", "--no-audit", "--no-fund", cwd=WEBUI, quiet=True)  # deletes the folder first
    installed.write_text(wanted)
