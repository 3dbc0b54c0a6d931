"""Fixtures of the tests on a control plane without machines."""

from __future__ import annotations

from pathlib import Path

import pytest
from control_plane import ControlPlane

from common import ROOT, run


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory):
    with ControlPlane(tmp_path_factory.mktemp("control-plane")) as running:
        yield running


@pytest.fixture(scope="session")
def go_backend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go backend's program, built from this work tree."""
    program = tmp_path_factory.mktemp("program") / "go-backend"
    source = ROOT / "images" / "go-backend"
    run("go", "generate", "./...", cwd=source, quiet=True)
    run("go", "build", "-o", program, "./cmd/go-backend", cwd=source, quiet=True)
    return program
