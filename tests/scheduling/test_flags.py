"""The chart passes no flag that the Go backend's program does not know."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml

from common import ROOT, output, tool

EVERYTHING = {
    "global": {"goBackend": {"enabled": True, "tls": {"existingSecret": "a", "clientSecret": "b"}}},
    "go-backend": {
        "pprof": True,
        "ingest": {"ports": [514]},
        "guard": {"pin": True, "stateFolder": "/var/lib/edge", "failSafePorts": "tcp/22"},
        "probe": {"enabled": True},
    },
}


def rendered_arguments() -> list[list[str]]:
    """Arguments of every container of the Go backend, with every option that adds a flag."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as values:
        json.dump(EVERYTHING, values)
        values.flush()
        text = output(tool("helm"), "template", "demo", ROOT, "--values", values.name)
    sets = [item for item in yaml.safe_load_all(text) if item and item["kind"] == "DaemonSet"]
    return [container["args"] for item in sets for container in item["spec"]["template"]["spec"]["containers"]]


@pytest.mark.parametrize("command", ["serve", "probe"])
def test_the_program_knows_every_flag_of_the_chart(go_backend: Path, command: str):
    [arguments] = [arguments for arguments in rendered_arguments() if arguments[0] == command]
    told = subprocess.run([go_backend, command, "--help"], capture_output=True, text=True, check=True).stdout
    known = {word.rstrip(",") for word in told.split() if word.startswith("--")}
    passed = {argument.partition("=")[0] for argument in arguments[1:]}
    assert len(passed) > 5 and passed <= known, passed - known
