"""Bad values fail at render, with the key and the fix in the message."""

from __future__ import annotations

import json

import pytest
import yaml
from rendering import ROOT, RenderError, leaves, nested, render

EXTERNAL = {"engine": "external", "external": {"host": "db.example.com", "existingSecret": "db"}}


def external(**changes) -> dict:
    return {"database": {**EXTERNAL, "external": {**EXTERNAL["external"], **changes}}}


def fast_path(values: dict) -> dict:
    return {"global": {"goBackend": {"enabled": True}}, "go-backend": values}


def socket_mode(values: dict) -> dict:
    return fast_path({"mode": "socket", **values})


def single_numa_node(requests: dict, limits: dict) -> dict:
    return fast_path({"numa": {"policy": "single-numa-node"}, "resources": {"requests": requests, "limits": limits}})


# Values, then every text the message must hold: the keys that contradict each other and the fix.
CONTRADICTIONS = {
    "two engines": (
        {"global": {"database": {"engine": "mysql"}}, "postgresql": {"enabled": True}},
        ["postgresql.enabled", "global.database.engine is mysql", "remove postgresql.enabled"],
    ),
    "engine switched off": (
        {"mysql": {"enabled": False}, "global": {"database": {"engine": "mysql"}}},
        ["mysql.enabled is false", "global.database.engine is mysql"],
    ),
    "external without host": ({"global": external(host="")}, ["global.database.external.host", "set the server"]),
    "external without secret": ({"global": external(existingSecret="")}, ["global.database.external.existingSecret"]),
    "external with the wrong secret": (
        {"global": {"database": {**EXTERNAL, "existingSecret": "x"}}},
        ["global.database.existingSecret", "use global.database.external.existingSecret"],
    ),
    "verify-full without authority": (
        {"global": external(sslMode="verify-full")},
        ["global.database.external.sslMode", "global.database.external.caSecret"],
    ),
    "external host with another engine": (
        {"global": {"database": {"external": {"host": "db"}}}},
        ["global.database.external.host", "set global.database.engine to external"],
    ),
    "replica with another engine": (
        {"global": {"database": {"external": {"replica": {"host": "reader"}}}}},
        ["global.database.external.replica.host", "set global.database.engine to external"],
    ),
    "replica without host": (
        {"global": external(replica={"port": 6432})},
        ["global.database.external.replica.port", "global.database.external.replica.host is empty"],
    ),
    "known password in production": (
        {"flask-backend": {"firstAdmin": {"password": "admin"}}},
        ["flask-backend.firstAdmin.password", "global.environment is production", "remove it"],
    ),
    "known password in beta": (
        {"global": {"environment": "beta"}, "flask-backend": {"firstAdmin": {"password": "admin"}}},
        ["flask-backend.firstAdmin.password", "global.environment is beta", "firstAdmin.existingSecret"],
    ),
    "two first passwords": (
        {
            "global": {"environment": "alpha"},
            "flask-backend": {"firstAdmin": {"password": "admin", "existingSecret": "x"}},
        },
        ["flask-backend.firstAdmin.password", "flask-backend.firstAdmin.existingSecret", "keep one"],
    ),
    "replicas on SQLite": (
        {"global": {"database": {"engine": "sqlite"}}, "flask-backend": {"replicas": 2}},
        ["flask-backend.replicas is 2", "global.database.engine is sqlite", "set flask-backend.replicas to 1"],
    ),
    "autoscaling on SQLite": (
        {"global": {"database": {"engine": "sqlite"}}, "flask-backend": {"autoscaling": {"enabled": True}}},
        ["flask-backend.autoscaling.enabled", "global.database.engine is sqlite"],
    ),
    "autoscaling range": (
        {"webui": {"autoscaling": {"enabled": True, "minReplicas": 4, "maxReplicas": 2}}},
        ["webui.autoscaling.minReplicas (4)", "webui.autoscaling.maxReplicas (2)", "lower minReplicas"],
    ),
    "no hugepages": (
        {"global": {"goBackend": {"enabled": True}}, "go-backend": {"hugepages": {"size": ""}}},
        ["go-backend.hugepages.size", "global.goBackend.enabled is true", "64Mi"],
    ),
    "zero hugepages": (
        {"global": {"goBackend": {"enabled": True}}, "go-backend": {"hugepages": {"size": 0}}},
        ["go-backend.hugepages.size", "global.goBackend.enabled is true", "64Mi"],
    ),
    "half a hugepage": (
        {"global": {"goBackend": {"enabled": True}}, "go-backend": {"hugepages": {"size": "3Mi"}}},
        ["go-backend.hugepages.size is 3Mi", "multiple of 2Mi"],
    ),
    "one port twice": (
        {"global": {"goBackend": {"enabled": True, "grpcPort": 9000, "httpPort": 9000}}},
        ["global.goBackend.grpcPort", "global.goBackend.httpPort", "two different ports"],
    ),
    "NUMA policy without CPU limit": (
        single_numa_node({"cpu": 2, "memory": "1Gi"}, {"memory": "1Gi"}),
        ["go-backend.resources.requests.cpu (2)", "limits.cpu (none)", "whole CPUs", "numa.policy to preferred"],
    ),
    "NUMA policy with unequal memory": (
        single_numa_node({"cpu": 2, "memory": "1Gi"}, {"cpu": 2, "memory": "2Gi"}),
        ["resources.requests.memory (1Gi)", "resources.limits.memory (2Gi)", "set both to the same numbers"],
    ),
    "NUMA policy with part of a CPU": (
        single_numa_node({"cpu": "1500m", "memory": "1Gi"}, {"cpu": "1500m", "memory": "1Gi"}),
        ["go-backend.resources.limits.cpu is 1500m", "whole CPUs"],
    ),
    "NUMA policy without CPUs": (
        single_numa_node({"cpu": None, "memory": "1Gi"}, {"memory": "1Gi"}),
        ["go-backend.resources names no cpu", "whole CPUs"],
    ),
    "NUMA policy without XDP": (
        socket_mode({"numa": {"policy": "preferred"}}),
        ["go-backend.numa.policy", "go-backend.mode is socket", "set go-backend.mode to fast-path"],
    ),
    "ingest of DHCP": (fast_path({"ingest": {"ports": [514, 68]}}), ["go-backend.ingest.ports has 68", "leave it out"]),
    "one side of TLS": (
        {"global": {"goBackend": {"enabled": True, "tls": {"existingSecret": "server"}}}},
        ["global.goBackend.tls.existingSecret", "global.goBackend.tls.clientSecret", "set both or none"],
    ),
    "certificates from two sources": (
        {
            "global": {
                "goBackend": {"enabled": True, "tls": {"generate": True, "existingSecret": "a", "clientSecret": "b"}}
            }
        },
        ["global.goBackend.tls.generate", "global.goBackend.tls.existingSecret is a", "set only one"],
    ),
    "pin without XDP": (socket_mode({"guard": {"pin": True}}), ["go-backend.guard.pin", "go-backend.mode is socket"]),
    "probe without XDP": (
        socket_mode({"probe": {"enabled": True}}),
        ["go-backend.probe.enabled", "go-backend.mode is socket", "remove go-backend.probe.enabled"],
    ),
    "NFD without XDP": (
        socket_mode({"nfd": {"enabled": True}}),
        ["go-backend.nfd.enabled", "go-backend.mode is socket"],
    ),
    "fast path by the wrong key": (
        {"go-backend": {"enabled": True}},
        ["go-backend.enabled", "global.goBackend.enabled"],
    ),
    "cache by the wrong key": ({"redis": {"enabled": False}}, ["redis.enabled", "set global.redis.enabled"]),
    "ingress without host": (
        {"webui": {"ingress": {"enabled": True}}},
        ["webui.ingress.host", "set webui.ingress.host"],
    ),
    "monitor of an API that nobody may scrape": (
        {"flask-backend": {"podMonitor": {"enabled": True}}},
        ["flask-backend.podMonitor.enabled", "global.networkPolicy.metricsPeers"],
    ),
    "monitor of a UI that only others reach": (
        {"webui": {"podMonitor": {"enabled": True}, "networkPolicy": {"ingressPeers": [{"podSelector": {}}]}}},
        ["webui.podMonitor.enabled", "webui.networkPolicy.ingressPeers", "global.networkPolicy.metricsPeers"],
    ),
    "node port on a ClusterIP": (
        {"webui": {"service": {"nodePort": 30080}}},
        ["webui.service.nodePort", "set webui.service.type to NodePort"],
    ),
}

# Values that the schema refuses, then the key its message must hold.
REFUSED = {
    "unknown engine": ({"global": {"database": {"engine": "oracle"}}}, "engine"),
    "engine not there yet": ({"global": {"database": {"engine": "galera"}}}, "engine"),
    "unknown external type": ({"global": external(type="oracle")}, "type"),
    "unknown environment": ({"global": {"environment": "prod"}}, "environment"),
    "text for a number": ({"webui": {"replicas": "two"}}, "replicas"),
    "text for a switch": ({"global": {"redis": {"enabled": "yes"}}}, "enabled"),
    "port out of range": ({"global": external(port=70000)}, "port"),
    "bad quantity": ({"postgresql": {"persistence": {"size": "8 gigabytes"}}}, "size"),
    "no requests": ({"redis": {"resources": {"requests": None}}}, "requests"),
    "bad secret name": ({"global": {"redis": {"existingSecret": "Not A Name"}}}, "existingSecret"),
    "base path with a slash at its end": ({"webui": {"basePath": "/console/"}}, "basePath"),
    "base path without a slash": ({"webui": {"basePath": "console"}}, "basePath"),
    "base path with dots": ({"webui": {"basePath": "/console/../ui"}}, "basePath"),
    "bad digest": ({"webui": {"image": {"digest": "sha256:12"}}}, "digest"),
    "label of a selector": ({"webui": {"podLabels": {"app.kubernetes.io/name": "x"}}}, "podLabels"),
    "bad XDP mode": (fast_path({"xdpMode": "fast"}), "xdpMode"),
    "bad mode": (fast_path({"mode": "fast"}), "mode"),
    "bad NUMA policy": (fast_path({"numa": {"policy": "strict"}}), "policy"),
    "port out of range for ingest": (fast_path({"ingest": {"ports": [70000]}}), "ports"),
    "bad fail-safe port": (fast_path({"guard": {"failSafePorts": "22"}}), "failSafePorts"),
    "bad interval": (fast_path({"probe": {"interval": "often"}}), "interval"),
    "no XDP at all as a minimum": (fast_path({"probe": {"minimumXDP": "none"}}), "minimumXDP"),
}


@pytest.mark.parametrize("values, texts", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_contradiction_names_the_keys_and_the_fix(values: dict, texts: list[str]) -> None:
    with pytest.raises(RenderError) as error:
        render(**values)
    for text in texts:
        assert text in str(error.value)


@pytest.mark.parametrize("values, key", REFUSED.values(), ids=REFUSED.keys())
def test_schema_names_the_key(values: dict, key: str) -> None:
    with pytest.raises(RenderError, match=rf"(?s)don't meet the specifications of the schema.*{key}"):
        render(**values)


def test_known_password_is_refused_when_alpha_values_meet_production() -> None:
    with pytest.raises(RenderError, match="flask-backend.firstAdmin.password"):
        render("values-alpha.yaml", global_={"environment": "production"})


SUBCHARTS = sorted(path.parent.name for path in ROOT.glob("charts/*/values.yaml"))
ALL_ON = {"global": {"goBackend": {"enabled": True}}}


def tables(tree: dict, path: tuple[str, ...] = ()):
    """Paths of the mappings whose keys are fixed, the root included."""
    yield path
    for key, value in tree.items():
        if isinstance(value, dict) and value and (*path, key)[-2:-1] != ("resources",) and key != "parameters":
            yield from tables(value, (*path, key))


TYPOS = [
    (chart, *path)
    for chart in SUBCHARTS
    for path in tables(yaml.safe_load((ROOT / "charts" / chart / "values.yaml").read_text()))
] + [("global", *path) for path in tables(yaml.safe_load((ROOT / "values.yaml").read_text())["global"])]


@pytest.mark.parametrize("path", [(), *TYPOS], ids=".".join)
def test_typo_is_refused_everywhere(path: tuple[str, ...]) -> None:
    values = nested((*path, "tpyo"), 1)
    for_all = {**values, "global": {**ALL_ON["global"], **values.get("global", {})}}
    with pytest.raises(RenderError, match="tpyo"):
        render(**for_all)


@pytest.mark.parametrize("chart", SUBCHARTS)
def test_schema_covers_every_value(chart: str) -> None:
    schema = json.loads((ROOT / "charts" / chart / "values.schema.json").read_text())
    for path, _ in leaves(yaml.safe_load((ROOT / "charts" / chart / "values.yaml").read_text())):
        assert path[0] in schema["properties"]


def test_shared_definitions_are_the_same_in_every_schema() -> None:
    """A schema sees only its own file, so the shared parts are repeated; they must not drift."""
    seen: dict[str, object] = {}
    for path in [ROOT / "values.schema.json", *ROOT.glob("charts/*/values.schema.json")]:
        for name, definition in json.loads(path.read_text())["$defs"].items():
            assert seen.setdefault(name, definition) == definition, f"{name} in {path}"
