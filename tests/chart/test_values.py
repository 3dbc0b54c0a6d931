"""Every value does something and is documented."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from rendering import ROOT, RenderError, leaves, merged, nested, render

CHARTS = sorted(path.parent.name for path in ROOT.glob("charts/*/values.yaml"))
# What must be on for a value to show in the render.
NEEDS = {
    "go-backend": {"global": {"goBackend": {"enabled": True}}},
    "go-backend.replicas": {"go-backend": {"mode": "socket"}},
    "go-backend.ingest": {"go-backend": {"ingest": {"ports": [514]}}},
    "global.goBackend.tls": {"global": {"goBackend": {"tls": {"existingSecret": "a", "clientSecret": "a"}}}},
    "global.goBackend.tls.generate": {"global": {"goBackend": {"tls": {"existingSecret": "", "clientSecret": ""}}}},
    "go-backend.probe": {"go-backend": {"probe": {"enabled": True}}},
    "go-backend.podMonitor": {"go-backend": {"podMonitor": {"enabled": True}}},
    "webui.podMonitor": {"webui": {"podMonitor": {"enabled": True}}},
    "flask-backend.podMonitor": {
        "flask-backend": {"podMonitor": {"enabled": True}},
        "global": {"networkPolicy": {"metricsPeers": [{"podSelector": {}}]}},
    },
    "mysql": {"global": {"database": {"engine": "mysql"}}},
    "flask-backend.sqlite": {"global": {"database": {"engine": "sqlite"}}},
    "flask-backend.firstAdmin.password": {"global": {"environment": "alpha"}},
    "flask-backend.autoscaling": {"flask-backend": {"autoscaling": {"enabled": True}}},
    "webui.autoscaling": {"webui": {"autoscaling": {"enabled": True}}},
    "webui.ingress": {"webui": {"ingress": {"enabled": True, "host": "a.example.com"}}},
    "webui.service.nodePort": {"webui": {"service": {"type": "NodePort"}}},
    "global.goBackend": {"global": {"goBackend": {"enabled": True}}},
    "flask-backend.signingKey.rotation": {"flask-backend": {"signingKey": {"rotation": {"schedule": "@monthly"}}}},
    "global.database.external.replica": {"global": {"database": {"external": {"replica": {"host": "reader"}}}}},
    "global.database.external": {
        "global": {"database": {"engine": "external", "external": {"host": "db", "existingSecret": "db"}}}
    },
}
# Another value where flipping, adding or appending gives none that the schema takes.
OTHERS = {
    "affinity": {"nodeAffinity": {}},
    "annotations": {"a": "b"},
    "apiServerPorts": [1],
    "basePath": "/console",
    "caSecret": "ca",
    "datagramBytes": 4096,
    "digest": f"sha256:{'0' * 64}",
    "dnsPeers": [],
    "egress": [{"ports": [{"port": 9000, "protocol": "TCP"}]}],
    "shards": [{"name": "a", "type": "mysql", "host": "a.example.com", "existingSecret": "shard-a"}],
    "email": "root@example.com",
    "engine": "mysql",
    "environment": "beta",
    "existingSecret": "mine",
    "extraEnv": [{"name": "A", "value": "b"}],
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}"}}],
    "failSafePorts": "tcp/22",
    "host": "other.example.com",
    "interval": "90s",
    "huge_pages": "try",
    "ingressPeers": [{"podSelector": {}}],
    "labels": {"a": "b"},
    "logLevel": "error",
    "maxMemory": "1mb",
    "metricsPeers": [{"podSelector": {}}],
    "minimumXDP": "native",
    "mode": "socket",
    "nodeCIDRs": ["10.0.0.0/8"],
    "nodePort": 30000,
    "nodeSelector": {"a": "b"},
    "parameters": {"max_connections": "7"},
    "ports": [8443],
    "podAnnotations": {"a": "b"},
    "podLabels": {"a": "b"},
    "policy": "preferred",
    "pullPolicy": "Always",
    "pullSecrets": ["login"],
    "schedule": "0 3 1 * *",
    "registry": "mirror.example",
    "size": "32Mi",
    "sslMode": "require",
    "stateFolder": "/var/lib/edge",
    "timeZone": "Europe/Berlin",
    "tolerations": [{"operator": "Exists"}],
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}],
    "type": "mysql",
    "xdpMode": "off",
}
SPECIAL = {
    ("webui", "service", "type"): "LoadBalancer",
    ("go-backend", "ingest", "mode"): "socket",
    ("go-backend", "ingest", "ports"): [2055],
}
ROOT_VALUES = yaml.safe_load((ROOT / "values.yaml").read_text())
SUBCHART_VALUES = {chart: yaml.safe_load((ROOT / "charts" / chart / "values.yaml").read_text()) for chart in CHARTS}
LEAVES = dict(leaves(merged(SUBCHART_VALUES, ROOT_VALUES)))


def needed(path: tuple[str, ...]) -> dict:
    """Values that the longest matching entries of NEEDS ask for."""
    result: dict = {}
    for length in range(1, len(path) + 1):
        result = merged(result, NEEDS.get(".".join(path[:length]), {}))
    return result


def other(path: tuple[str, ...], value: object) -> object:
    """A value the schema takes that differs from the default."""
    if path in SPECIAL:
        return SPECIAL[path]
    if path[-1] in OTHERS:
        return OTHERS[path[-1]]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if path[-2:-1] in (("requests",), ("limits",)):
        return "17Mi"
    return f"{value}x"


@pytest.mark.parametrize("path, value", LEAVES.items(), ids=[".".join(path) for path in LEAVES])
def test_value_changes_the_render(path: tuple[str, ...], value: object) -> None:
    base = merged(needed(path), nested(path, value) if path[-1] == "enabled" else {})
    changed = merged(base, nested(path, other(path, value)))
    assert render(**base) != render(**changed), f"{'.'.join(path)} is read by no template"


def test_values_that_no_default_has_are_rare() -> None:
    """The schemas take nothing that a values.yaml does not show, but the switches refused with a fix."""
    for chart, values in SUBCHART_VALUES.items():
        properties = json.loads((ROOT / "charts" / chart / "values.schema.json").read_text())["properties"]
        assert properties.keys() - values.keys() <= {"global", "enabled"}


@pytest.mark.parametrize("chart", [".", *(f"charts/{chart}" for chart in CHARTS)])
def test_value_is_documented_where_it_is_defined(chart: str) -> None:
    """helm-docs reads `# --` above a value; a mapping may be documented as one."""
    lines = (ROOT / chart / "values.yaml").read_text().splitlines()
    documented: list[int] = []
    for number, line in enumerate(lines):
        match = re.match(r"( *)([A-Za-z-]+):", line)
        if not match or line.lstrip().startswith("#"):
            continue
        indent = len(match[1])
        documented = [depth for depth in documented if depth < indent]
        above = lines[number - 1].strip()
        if above.startswith("# "):
            documented.append(indent)
        is_table = not line.split(":", 1)[1].strip() and not above.startswith("#")
        assert documented or is_table, f"{chart}/values.yaml:{number + 1} has no comment"


def test_extra_objects_may_be_text_and_use_templates() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-text"
    tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Namespace }}-object"}}
    names = {item["metadata"]["name"] for item in render(extraObjects=[text, tree]).of("ConfigMap")}
    assert {"demo-text", "somewhere-object"} <= names


def test_bad_extra_object_is_refused() -> None:
    with pytest.raises(RenderError):
        render(extraObjects=[{"metadata": {"name": "{{ .Missing.Value }}"}}])
