"""Clients who stop half-way: they keep no thread and no connection, and leave threads for others meanwhile."""

from __future__ import annotations

import http.client
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest
from api_client import assert_problem
from guard_node import GuardNode
from served import Server

from backend import slots
from backend.audit.service import new_id
from backend.database.session import now
from backend.events.outbox import EVERYBODY
from backend.grpc_gen.guard.v1 import guard_pb2
from backend.grpc_gen.ingest.v1 import ingest_pb2, ingest_pb2_grpc

THREADS = 4
# More than what the buffers of two sockets and of the server hold, by far.
PIECES, PIECE = 10_000, "x" * 2_000
# Of today: at the full hour the server deletes old jobs.
TIME = now().isoformat(" ")
JOB = "0" * 31 + "1"


class FloodingNode(GuardNode, ingest_pb2_grpc.IngestServiceServicer):
    """A node on which drops and datagrams never end.

    Attributes:
        left: set once the subscriber of the newest stream went away.
    """

    def __init__(self):
        super().__init__()
        self.left = threading.Event()

    def WatchEvents(self, request, context):
        event = guard_pb2.DropEvent(verdict=guard_pb2.VERDICT_DROP_DENIED, source="192.0.2.1")
        return self._endless(context, guard_pb2.WatchEventsResponse(event=event))

    def Subscribe(self, request, context):
        item = ingest_pb2.Datagram(port=5514, source_address=bytes(4), payload=PIECE.encode())
        return self._endless(context, ingest_pb2.SubscribeResponse(datagrams=[item] * 10))

    def _endless(self, context, answer):
        left = self.left = threading.Event()
        context.add_callback(left.set)
        while not left.wait(0.001):
            yield answer

    def add_to(self, server) -> None:
        super().add_to(server)
        ingest_pb2_grpc.add_IngestServiceServicer_to_server(self, server)


@pytest.fixture(scope="module")
def node() -> Iterator[FloodingNode]:
    with FloodingNode() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory, node) -> Iterator[Server]:
    variables = {"THREADS": THREADS, "SEND_TIMEOUT_SECONDS": 4, "GO_BACKEND_TARGET": node.target}
    running = Server(tmp_path_factory.mktemp("slow"), **variables)
    running.wait()
    with closing(sqlite3.connect(running.database, timeout=60)) as database:
        fill(database)
    yield running
    running.end()


def fill(database: sqlite3.Connection) -> None:
    """An audit log and a file of users, each too large for any buffer."""
    insert(
        database,
        "audit_events",
        {"id": new_id, "occurred_at": TIME, "actor": "a", "action": "test.slow", "details": json.dumps({"x": PIECE})}
        | dict.fromkeys(("credential", "target_type", "target_id", "address", "request_id"), ""),
    )
    job = {"id": JOB, "kind": "users.export", "state": "succeeded", "arguments": "{}", "result": "", "error": ""}
    times = dict.fromkeys(("created_at", "queued_at", "started_at", "finished_at"), TIME)
    insert(database, "jobs", job | times, 1)
    insert(database, "job_chunks", {"job_id": JOB, "direction": "out", "content": PIECE})


def insert(database: sqlite3.Connection, table: str, row: dict, times: int = PIECES) -> None:
    """Insert a row that many times; functions in it make a value for each."""
    rows = [tuple(value() if callable(value) else value for value in row.values()) for _ in range(times)]
    marks = ", ".join("?" * len(row))
    with database:
        database.executemany(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", rows)


@pytest.fixture
def stalled(server) -> Iterator[Callable[[str], socket.socket]]:
    """A function that asks for a path and reads no more than the first line of the answer."""
    eventually(lambda: server.metric("downloads_open") == 0, "the download before it holds its place")
    token, opened = server.login(), []

    def ask(path: str) -> socket.socket:
        connection = socket.socket()
        opened.append(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 200"
        return connection

    yield ask
    for connection in opened:
        connection.close()


def eventually(check: Callable[[], bool], message: str) -> None:
    """Wait for something; on a busy machine this client may itself be too slow for the server once."""
    end = time.monotonic() + 90
    while True:
        with suppress(OSError, http.client.HTTPException):
            if check():
                return
        assert time.monotonic() < end, message
        time.sleep(0.2)


def rest(connection: socket.socket) -> bytes:
    """What can still be read."""
    content = bytearray()
    with suppress(ConnectionError):
        while piece := connection.recv(65536):
            content += piece
    return bytes(content)


@pytest.mark.parametrize("path", ["/api/v1/audit/export", f"/api/v1/jobs/{JOB}/output"])
def test_a_download_that_nobody_reads_is_cut_off(server, stalled, path):
    connection = stalled(path)
    eventually(lambda: server.metric("downloads_open") == 0, "the download holds its thread")
    content = rest(connection)
    assert len(content) < PIECES * len(PIECE)
    assert not content.endswith(b"0\r\n\r\n"), "it must not look whole"
    token = server.login()
    eventually(lambda: server.text(path, token)[1].count(PIECE) == PIECES, "whoever reads gets all of it")


def test_live_events_that_nobody_reads_are_cut_off(server, stalled):
    connection = stalled("/api/v1/events")

    def cut_off() -> bool:
        with closing(sqlite3.connect(server.database, timeout=60)) as database:
            event = {"kind": "job.test", "audience": EVERYBODY, "payload": json.dumps({"x": PIECE}), "dispatched": 1}
            insert(database, "events", event | {"created_at": now().isoformat(" ")}, 200)
        return server.metric("event_streams_open") == 0

    eventually(cut_off, "the stream holds its thread")
    assert not rest(connection).endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("path", ["/api/v1/ingest/tail", "/api/v1/guard/drops"])
def test_a_look_at_the_nodes_that_nobody_reads_is_cut_off(server, node, stalled, path):
    connection = stalled(path)
    eventually(lambda: server.metric("event_streams_open") == 0, "the stream holds its thread")
    assert node.left.wait(60), "the node goes on sending"
    assert not rest(connection).endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("start", [b"", b"GET /healthz HTTP/1.1\r\nHost:"], ids=["nothing", "half a head"])
def test_a_connection_on_which_no_request_arrives_is_closed(server, start):
    """The server has places for a thousand connections."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection, suppress(ConnectionResetError):
        connection.sendall(start)
        assert not rest(connection).startswith(b"HTTP/1.1 200")


def test_downloads_leave_threads_for_others(admin, services):
    first = admin.get("/api/v1/audit/export", buffered=False)
    others = [admin.get("/api/v1/audit/export", buffered=False) for _ in range(services.downloads.limit)]
    assert [answer.status_code for answer in others[:-1]] == [200] * (services.downloads.limit - 1)
    problem = assert_problem(others[-1], 503)
    assert problem["type"] == "urn:triptych:problem:too-many-downloads"
    assert others[-1].headers["Retry-After"]
    for answer in (first, *others):
        answer.close()
    assert services.downloads.open == 0
    assert admin.get("/api/v1/audit/export").text
    assert services.downloads.open == 0


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/audit/export"])
def test_asking_for_the_head_alone_takes_no_place(admin, services, path):
    for _ in range(services.streams.limit + 1):
        answer = admin.request("HEAD", path)
        assert (answer.status_code, answer.data) == (200, b"")
    assert (services.streams.open, services.downloads.open) == (0, 0)


def test_a_download_that_takes_for_ever_breaks_off(admin, services, monkeypatch):
    monkeypatch.setattr(slots, "DOWNLOAD_SECONDS", -1)
    with pytest.raises(TimeoutError):
        admin.get("/api/v1/audit/export")
    assert services.downloads.open == 0
