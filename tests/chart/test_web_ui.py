"""The web UI below a sub-path."""

from __future__ import annotations

import pytest
from rendering import render

INGRESS = {"enabled": True, "host": "ui.example.com"}


@pytest.mark.parametrize("path, variable, ingress", [("", None, "/"), ("/console/ui", "/console/ui", "/console/ui")])
def test_base_path_reaches_server_and_ingress(path: str, variable: str | None, ingress: str) -> None:
    objects = render(webui={"basePath": path, "ingress": INGRESS})
    (container,) = objects.find("Deployment", "webui")["spec"]["template"]["spec"]["containers"]
    assert {item["name"]: item["value"] for item in container["env"]}.get("BASE_PATH") == variable
    (rule,) = objects.find("Ingress", "webui")["spec"]["rules"]
    (forwarded,) = rule["http"]["paths"]
    assert (forwarded["path"], forwarded["pathType"]) == (ingress, "Prefix")


def test_probes_stay_at_the_root() -> None:
    pod = render(webui={"basePath": "/console"}).find("Deployment", "webui")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
