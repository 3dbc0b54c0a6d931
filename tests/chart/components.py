"""The one registry of what the chart deploys; the rules in this folder are parametrised from it.

A workload that is rendered but not listed, or listed and never rendered, fails `test_registry.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Component:
    """One workload and what it has.

    Attributes:
        name: value of its `app.kubernetes.io/name` label.
        kind: workload kind.
        chart: folder below `charts/` with its values.
        ports: container ports by name.
        service_ports: Service port numbers by port name; empty means no Service.
        claim: mount path of its persistent volume; empty means none.
        host_network: on the node's own network (only the fast path may).
        capabilities: Linux capabilities its containers add, by name (only on the node's own network).
        host_paths: folders of the node that it mounts.
        token: needs its service account's token.
        probed: has startup, liveness and readiness probes (servers).
        replicated: scales by replicas, HPA and disruption budget.
        values: values without which it is not rendered, on top of the defaults.
        talks_to: components whose servers it connects to.
        hashed: its name ends with a hash of its content.
    """

    name: str
    kind: str
    chart: str
    ports: dict[str, int] = field(default_factory=dict)
    service_ports: dict[str, int] = field(default_factory=dict)
    claim: str = ""
    host_network: bool = False
    capabilities: frozenset[str] = frozenset()
    host_paths: frozenset[str] = frozenset()
    token: bool = False
    probed: bool = True
    replicated: bool = False
    values: dict = field(default_factory=dict)
    talks_to: tuple[str, ...] = ()
    hashed: bool = False


MYSQL = {"global": {"database": {"engine": "mysql"}}}
FAST_PATH = {"global": {"goBackend": {"enabled": True}}}
PROBE = {**FAST_PATH, "go-backend": {"probe": {"enabled": True}}}
ROTATION = {"flask-backend": {"signingKey": {"rotation": {"schedule": "0 3 1 * *"}}}}
SOCKET = {**FAST_PATH, "go-backend": {"mode": "socket"}}

COMPONENTS = [
    Component(
        "webui", "Deployment", "webui", {"http": 3000}, {"http": 80}, replicated=True, talks_to=("flask-backend",)
    ),
    Component(
        "flask-backend",
        "Deployment",
        "flask-backend",
        {"http": 5000},
        {"http": 5000},
        replicated=True,
        talks_to=("postgresql", "redis"),
    ),
    Component("flask-backend-migrate", "Job", "flask-backend", probed=False, talks_to=("postgresql",), hashed=True),
    Component(
        "flask-backend-worker",
        "Deployment",
        "flask-backend",
        {"http": 5000},
        talks_to=("postgresql", "redis"),
    ),
    Component("bootstrap-secrets", "Job", "flask-backend", token=True, probed=False, hashed=True),
    Component("rotate-keys", "CronJob", "flask-backend", token=True, probed=False, values=ROTATION),
    Component("smoke-test", "Pod", "flask-backend", probed=False, talks_to=("flask-backend",)),
    Component(
        "go-backend",
        "DaemonSet",
        "go-backend",
        {"grpc": 50051, "http": 8080},
        {"grpc": 50051, "http": 8080},
        host_network=True,
        capabilities=frozenset({"BPF", "NET_ADMIN"}),
        values=FAST_PATH,
    ),
    Component(
        "go-backend",
        "Deployment",
        "go-backend",
        {"grpc": 50051, "http": 8080},
        {"grpc": 50051, "http": 8080},
        values=SOCKET,
    ),
    Component(
        "go-backend-probe",
        "DaemonSet",
        "go-backend",
        host_network=True,
        capabilities=frozenset({"BPF", "NET_ADMIN", "NET_RAW"}),
        token=True,
        probed=False,
        values=PROBE,
    ),
    Component(
        "postgresql",
        "StatefulSet",
        "postgresql",
        {"postgresql": 5432},
        {"postgresql": 5432},
        claim="/var/lib/postgresql/data",
    ),
    Component("mysql", "StatefulSet", "mysql", {"mysql": 3306}, {"mysql": 3306}, claim="/var/lib/mysql", values=MYSQL),
    Component("redis", "StatefulSet", "redis", {"redis": 6379}, {"redis": 6379}, claim="/data"),
]
BY_KIND_AND_NAME = {(component.kind, component.name): component for component in COMPONENTS}
SERVERS = [component for component in COMPONENTS if component.ports]
REPLICATED = [component for component in COMPONENTS if component.replicated]
