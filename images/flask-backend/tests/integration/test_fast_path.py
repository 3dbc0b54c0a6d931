"""Guard and ingest front against the real Go program, in mode off with sockets: what works without any privilege."""

from __future__ import annotations

import json
import secrets
import socket
import time

import pytest
from api_client import ApiClient, make_settings, reset
from ports import free_port

import images
from backend.app import create_app
from backend.database.migrate import migrate
from backend.guard.reconciler import Reconciler
from common import VERSIONS
from engine import engine

INGEST_PORT = 5514


@pytest.fixture(scope="module")
def go_backend():
    """Name, gRPC port and UDP port of a running Go backend."""
    images.build_all(["go-backend"])
    name, grpc_port, udp_port = (
        f"flask-backend-test-go-{secrets.token_hex(4)}",
        free_port(),
        free_port(socket.SOCK_DGRAM),
    )
    engine().run(
        "run", "--detach", "--name", name, "--publish", f"127.0.0.1:{grpc_port}:50051",
        "--publish", f"127.0.0.1:{udp_port}:{INGEST_PORT}/udp",
        f"localhost/triptych/go-backend:{VERSIONS['PLATFORM_VERSION']}",
        "serve", "--xdp-mode", "off", "--ingest-mode", "socket", "--ingest-ports", str(INGEST_PORT), "--node-name", "real",
        quiet=True,
    )  # fmt: skip
    yield name, grpc_port, udp_port
    engine().run("rm", "--force", "--volumes", name, quiet=True)


@pytest.fixture(scope="module")
def app(go_backend, tmp_path_factory):
    path = tmp_path_factory.mktemp("fast-path") / "test.db"
    settings = make_settings(db_type="sqlite", db_sqlite_path=path, go_backend_target=f"127.0.0.1:{go_backend[1]}")
    migrate(settings, timeout=30, progress=lambda line: None)
    made = create_app(settings)
    reset(made)
    return made


@pytest.fixture
def admin(app):
    return ApiClient(app).login("admin@example.com", "admin")


def node_after(reconciler: Reconciler, admin, wanted, timeout: float = 90) -> dict:
    """The node's state as soon as it is as wanted, the reconciler running meanwhile."""
    end = time.monotonic() + timeout
    while True:
        reconciler.step()
        nodes = admin.get("/api/v1/guard/status").json["nodes"]
        if nodes and wanted(nodes[0]):
            return nodes[0]
        assert time.monotonic() < end, nodes
        time.sleep(0.5)


def test_rules_reach_the_program_and_come_back_after_its_restart(app, admin, go_backend):
    reconciler = Reconciler(app.extensions["backend"])
    rule = {"prefix": "192.0.2.0/24", "protocol": 6, "ports": [{"first": 80, "last": 90}], "action": "deny"}
    limit = {"packets_per_second": 1000, "packets_burst": 100}
    assert admin.post("/api/v1/guard/rules", json=rule | {"ttl_seconds": 3600}).status_code == 201
    more = {"prefix": "2001:db8::/32", "action": "rate", "limit": limit, "count_only": True, "comment": "ü"}
    assert admin.post("/api/v1/guard/rules", json=more).status_code == 201
    node = node_after(reconciler, admin, lambda node: node["up_to_date"])
    assert (node["node"], node["rules"], node["error"]) == ("real", 2, "")
    assert (node["enforcing"], node["xdp_mode"]) == (False, "off")
    assert node["reason"]
    assert "tcp/22" in node["fail_safe_ports"]
    counters = admin.get("/api/v1/guard/counters").json
    assert (counters["nodes"], len(counters["counters"])) == (1, 2)
    engine().run("restart", "--time", "5", go_backend[0], quiet=True)
    assert node_after(reconciler, admin, lambda node: node["rules"] == 2)["up_to_date"]


def test_datagrams_are_counted_and_shown_live(app, admin, go_backend):
    answer = admin.get(f"/api/v1/ingest/tail?ports={INGEST_PORT}", buffered=False)
    assert answer.status_code == 200
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        for piece in answer.iter_encoded():
            if piece.startswith(b"event: datagram"):
                break
            # The subscription may begin after the first ones.
            sender.sendto(b"hello ingest", ("127.0.0.1", go_backend[2]))
    answer.close()
    shown = json.loads(piece.decode().partition("data: ")[2])
    assert bytes.fromhex(shown["payload_hex"]) == b"hello ingest"
    stream = stream_of(admin)
    assert (stream["port"], stream["mode"]) == (INGEST_PORT, "socket")
    # A datagram is counted a moment after it was sent.
    end = time.monotonic() + 30
    while stream["counters"]["delivered"] < 1:
        assert time.monotonic() < end, stream
        time.sleep(0.1)
        stream = stream_of(admin)


def stream_of(admin) -> dict:
    (node,) = admin.get("/api/v1/ingest/streams").json["nodes"]
    (stream,) = node["streams"]
    return stream
