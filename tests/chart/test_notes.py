"""What Helm prints after an install: the next three commands, true for the values."""

from __future__ import annotations

import subprocess

import pytest
from rendering import CI_FILES, NAMESPACE, RELEASE, ROOT, VALUES_FILES, render

from common import tool


def notes(*files: str, settings: tuple[str, ...] = ()) -> str:
    """The notes of an install with these values files and `--set` settings."""
    command = [tool("helm"), "install", RELEASE, ROOT, "--namespace", NAMESPACE, "--dry-run=client"]
    for file in files:
        command += ["--values", ROOT / file]
    for setting in settings:
        command += ["--set", setting]
    # No cluster may be asked, whatever the caller's configuration is.
    output = subprocess.run(command, check=True, capture_output=True, text=True, env={"KUBECONFIG": "/dev/null"}).stdout
    return output.split("\nNOTES:\n")[1]


@pytest.mark.parametrize("file", [*VALUES_FILES, *CI_FILES])
def test_three_steps(file: str) -> None:
    text = notes(file)
    for step in ("\n1. Watch", "\n2. ", "\n3. Log in as "):
        assert step in text
    assert "<no value>" not in text and "%!" not in text
    assert f"--namespace {NAMESPACE} get pods --selector app.kubernetes.io/instance={RELEASE}" in text


def test_alpha_tells_the_known_login() -> None:
    text = notes("values-alpha.yaml")
    assert 'Log in as admin@example.com with the password "admin"' in text
    assert "service/webui 8080:80" in text
    assert "get secret " not in text
    assert "triptych.dev/fast-path=true" in text


def test_others_tell_where_the_password_is() -> None:
    text = notes("values-production.yaml")
    assert "get secret demo-flask-backend-first-admin " in text and "base64decode" in text
    mine = notes(settings=("flask-backend.firstAdmin.existingSecret=mine",))
    assert "get secret mine " in mine


def test_forwarded_services_exist() -> None:
    for file in VALUES_FILES:
        name = notes(file).split("port-forward service/")[1].split()[0]
        assert name in {item["metadata"]["name"] for item in render(file).of("Service")}


def test_ingress_is_the_address() -> None:
    assert "2. Open https://triptych.example.com\n" in notes("ci/replicas-values.yaml")


def test_base_path_is_part_of_the_address() -> None:
    path = "webui.basePath=/console/ui"
    assert "2. Open https://triptych.example.com/console/ui/\n" in notes("ci/replicas-values.yaml", settings=(path,))
    assert "on http://localhost:8080/console/ui/:\n" in notes("values-alpha.yaml", settings=(path,))


def test_without_web_ui_the_api_is_the_door() -> None:
    assert "port-forward service/demo-flask-backend 5000:5000" in notes("ci/minimal-values.yaml")


def test_fast_path_tells_the_command_that_shows_which_nodes_fit() -> None:
    text = notes("values-alpha.yaml")
    assert "kubectl get nodes --output custom-columns='NODE:" in text
    for source in (
        "labels.triptych\\.dev/fast-path",
        "allocatable.hugepages-2Mi",
        "annotations.triptych\\.dev/fast-path-verdict",
    ):
        assert source in text
    assert "needs go-backend.probe.enabled" in text
    assert "needs go-backend.probe.enabled" not in notes(
        "values-alpha.yaml", settings=("go-backend.probe.enabled=true",)
    )
    socket = notes("values-alpha.yaml", settings=("go-backend.mode=socket",))
    assert "mode socket: on any node" in socket and "fast-path=true" not in socket
