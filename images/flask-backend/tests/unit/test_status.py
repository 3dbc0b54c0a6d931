"""The platform's status, with a Go backend that is there, silent, or away."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from api_client import ApiClient, make_settings

from backend.app import create_app
from backend.database.migrations import required_version
from backend.grpc_gen.guard.v1 import guard_pb2
from backend.grpc_gen.ingest.v1 import ingest_pb2
from backend.grpc_gen.status.v1 import status_pb2, status_pb2_grpc
from backend.status.fast_path import FastPath

ROOT = Path(__file__).resolve().parents[2]


class Node(status_pb2_grpc.StatusServiceServicer):
    def GetStatus(self, request, context):
        return status_pb2.GetStatusResponse(
            version="0.1.0",
            node_name="worker2",
            kernel_release="6.18.0",
            xdp=status_pb2.XdpStatus(mode=status_pb2.XDP_MODE_GENERIC, interface="eth0", reason="no driver support"),
            guard=status_pb2.GuardStatus(enforcement=guard_pb2.Enforcement(enforcing=True), revision=2**40, rules=2),
            ingest=status_pb2.IngestStatus(mode=ingest_pb2.INGEST_MODE_SOCKET, reason="eth0 is down", ports=[514]),
            numa_nodes=[status_pb2.NumaNode(id=0, cpus="0-1", memory_bytes=2**40)],
            hugepage_pools=[status_pb2.HugepagePool(page_size_bytes=2**21, total_pages=64, free_pages=60)],
            counters=[status_pb2.ProtocolCounter(protocol="tcp", packets=2**40, bytes=2**50)],
        )


@pytest.fixture
def node():
    """Address of a Go backend's stand-in that speaks the real protocol."""
    server = grpc.server(ThreadPoolExecutor(2))
    status_pb2_grpc.add_StatusServiceServicer_to_server(Node(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0)


@pytest.fixture
def silent():
    """Address that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()


@pytest.fixture
def status_of(app, settings, admin):
    """A function that asks an application with other settings for its status."""

    def ask(**changes) -> dict:
        other = create_app(make_settings(**settings.model_dump() | changes))
        client = ApiClient(other).login("admin@example.com", "admin")
        answer = client.get("/api/v1/status")
        assert answer.status_code == 200, answer.text
        return answer.json

    return ask


def states(status: dict) -> dict:
    return {part["name"]: part["status"] for part in status["components"]}


def test_nothing_else_installed(status_of):
    status = status_of()
    assert states(status) == {
        "flask-backend": "healthy",
        "database": "healthy",
        "redis": "not_installed",
        "go-backend": "not_installed",
    }
    assert status["fast_path"] == {"state": "not_installed", "nodes": []}
    assert status["environment"] == "alpha"
    assert status["schema_version"] == required_version()


def test_fast_path(status_of, node):
    fast_path = status_of(go_backend_target=node)["fast_path"]
    assert fast_path["state"] == "running"
    assert fast_path["nodes"] == [
        {
            "node": "worker2",
            "version": "0.1.0",
            "kernel": "6.18.0",
            "xdp_mode": "generic",
            "interface": "eth0",
            "reason": "no driver support",
            "guard": {"enforcing": True, "reason": "", "revision": 2**40, "rules": 2},
            "ingest": {"mode": "socket", "reason": "eth0 is down", "ports": [514], "subscriptions": 0},
            "numa_nodes": [{"id": 0, "cpus": "0-1", "memory_bytes": 2**40}],
            "hugepages": [{"size_bytes": 2**21, "total": 64, "free": 60}],
            "counters": [{"protocol": "tcp", "packets": 2**40, "bytes": 2**50}],
        }
    ]


def test_a_name_that_does_not_resolve(status_of):
    status = status_of(go_backend_target="go-backend.invalid:50051")
    assert states(status)["go-backend"] == "unavailable"
    assert status["fast_path"] == {"state": "unavailable", "nodes": []}


def test_all_silent_still_answers_soon(app, settings, silent, monkeypatch):
    monkeypatch.setattr("backend.app.REDIS_TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr("backend.status.service.BOUND_SECONDS", 1.5)
    host, port = silent
    away = {"go_backend_target": f"{host}:{port}", "redis_host": host, "redis_port": port}
    other = create_app(make_settings(**settings.model_dump() | away))
    client = ApiClient(other).login("admin@example.com", "admin")
    started = time.monotonic()
    status = client.get("/api/v1/status").json
    assert time.monotonic() - started < 8  # and not the ten seconds that the Go backend is given here
    assert states(status)["redis"] == "unavailable"
    assert states(status)["go-backend"] == "unavailable"
    assert states(status)["database"] == "healthy"


def test_probes_that_hang_do_not_block_the_others(app, settings, monkeypatch):
    other = create_app(make_settings(**settings.model_dump() | {"go_backend_target": "127.0.0.1:1"}))
    release = threading.Event()
    monkeypatch.setattr(FastPath, "nodes", lambda self: release.wait(20))
    monkeypatch.setattr("backend.status.service.BOUND_SECONDS", 3)
    tokens = ApiClient(other).login("admin@example.com", "admin").tokens

    def ask(_) -> dict:
        client = ApiClient(other)
        client.tokens = tokens
        return states(client.get("/api/v1/status").json)

    try:
        with ThreadPoolExecutor(8) as pool:  # twice as many as a probe has threads
            found = list(pool.map(ask, range(8)))
    finally:
        release.set()
    assert {(status["go-backend"], status["database"]) for status in found} == {("unavailable", "healthy")}


def test_committed_stubs_fit_the_proto_files(tmp_path):
    subprocess.run([sys.executable, ROOT / "generate-grpc", tmp_path], check=True)
    fresh = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.py")}
    committed = {path: (ROOT / "src/backend/grpc_gen" / path).read_text() for path in fresh}
    assert fresh
    assert fresh == committed
