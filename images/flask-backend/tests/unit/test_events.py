"""Live events from a real server: who sees what, when streams end, and how many there may be."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import threading
import time

import pytest
from served import Server

from backend.server import DRAIN_SECONDS

STREAMS = 3


class Stream:
    """An open event stream, read in a thread."""

    def __init__(self, server: Server, token: str, query: str = "", headers: dict | None = None):
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        all_headers = {"Authorization": f"Bearer {token}", **(headers or {})}
        self._connection.request("GET", f"/api/v1/events{query}", headers=all_headers)
        self._socket = self._connection.sock
        self._answer = self._connection.getresponse()
        self.status = self._answer.status
        self.media_type = self._answer.getheader("Content-Type")
        self.events: list[tuple[str, dict, str]] = []
        self.begun, self.ended = threading.Event(), threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        assert self.begun.wait(60)

    def _read(self) -> None:
        fields: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            for line in self._answer:
                self.begun.set()  # from its first line on a stream misses nothing
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "event" in fields:
                    self.events.append((fields["event"], json.loads(fields["data"]), fields.get("id", "")))
                    fields = {}
        self.begun.set()
        self.ended.set()

    def wait_for(self, kind: str, timeout: float = 60) -> tuple[str, dict, str]:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for event in list(self.events):
                if event[0] == kind:
                    return event
            time.sleep(0.05)
        raise AssertionError(f"no {kind} among {self.events}")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._connection.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A running server; the last test of the file ends it."""
    running = Server(tmp_path_factory.mktemp("events"), THREADS=3 * STREAMS)
    running.wait()
    yield running
    running.end()


@pytest.fixture
def open_stream(server):
    """A function that opens a stream; all are closed with the test."""
    opened = {}

    def make(token: str, query: str = "", headers: dict | None = None) -> Stream:
        stream = Stream(server, token, query, headers)
        opened[stream] = token
        return stream

    yield make
    for stream in opened:
        stream.close()
    # The server notices at its next write: sooner when the sessions end than at the heartbeat.
    if server.process.poll() is None:
        for token in set(opened.values()):
            server.call("POST", "/api/v1/auth/logout", token=token)
        end = time.monotonic() + 90
        while server.metric("event_streams_open") > 0:
            assert time.monotonic() < end, "a closed stream keeps its slot"
            time.sleep(0.1)


def create_user(server: Server, token: str, email: str, role: str = "viewer") -> None:
    body = {"email": email, "full_name": "U", "role": role, "password": "password of a user"}
    assert server.call("POST", "/api/v1/users", body, token)[0] == 201


def create_rule(server: Server, token: str, prefix: str) -> None:
    assert server.call("POST", "/api/v1/guard/rules", {"prefix": prefix, "action": "deny"}, token)[0] == 201


def test_events_arrive_and_each_sees_its_own(server, open_stream):
    admin = server.login()
    create_user(server, admin, "watcher@example.com")
    viewer = server.login("watcher@example.com", "password of a user")
    all_of_it, seen_by_viewer, jobs_only = open_stream(admin), open_stream(viewer), open_stream(admin, "?topics=job")
    assert all_of_it.media_type.startswith("text/event-stream")
    create_user(server, admin, "new@example.com")
    create_rule(server, admin, "192.0.2.0/24")
    assert server.call("POST", "/api/v1/jobs", {"kind": "users.export"}, admin)[0] == 202
    assert all_of_it.wait_for("users.create")[1]["details"] != {}
    assert all_of_it.wait_for("guard.create_rule")[1]["target_type"] == "guard_rule"
    assert jobs_only.wait_for("job.finished")[1]["state"] == "succeeded"
    seen_by_viewer.wait_for("job.finished")
    seen_by_viewer.wait_for("guard.create_rule")
    assert "users.create" not in [kind for kind, _, _ in seen_by_viewer.events]
    assert {kind.partition(".")[0] for kind, _, _ in jobs_only.events} == {"job"}


def test_a_reader_that_comes_back_misses_nothing(server, open_stream):
    admin = server.login()
    first = open_stream(admin, "?topics=guard")
    create_rule(server, admin, "192.0.2.1")
    number = first.wait_for("guard.create_rule")[2]
    first.close()
    create_rule(server, admin, "192.0.2.2")
    create_rule(server, admin, "192.0.2.3")
    second = open_stream(admin, "?topics=guard", {"Last-Event-ID": number})
    create_rule(server, admin, "192.0.2.4")
    end = time.monotonic() + 30
    while len(second.events) < 3 and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1)
    assert len(second.events) == 3
    assert len({number for _, _, number in second.events}) == 3


def test_a_logout_ends_the_stream(server, open_stream):
    token = server.login()
    stream = open_stream(token)
    assert not stream.ended.wait(1)
    assert server.call("POST", "/api/v1/auth/logout", token=token)[0] == 204
    assert stream.ended.wait(30)
    assert stream.wait_for("end")[1] == {"reason": "the session ended"}


def test_a_deleted_user_s_stream_ends(server, open_stream):
    admin = server.login()
    create_user(server, admin, "gone@example.com")
    stream = open_stream(server.login("gone@example.com", "password of a user"))
    users = server.call("GET", "/api/v1/users?search=gone@example.com", token=admin)[1]["users"]
    assert server.call("DELETE", f"/api/v1/users/{users[0]['id']}", token=admin)[0] == 204
    assert stream.ended.wait(30)


def test_streams_are_bounded_and_leave_threads_for_requests(server, open_stream):
    token = server.login()
    streams = [open_stream(token) for _ in range(STREAMS)]
    assert [stream.status for stream in streams] == [200] * STREAMS
    assert server.metric("event_streams_open") == STREAMS
    status, problem = server.call("GET", "/api/v1/events", token=token)
    assert (status, problem["type"]) == (503, "urn:triptych:problem:too-many-streams")
    started = time.monotonic()
    assert all(server.call("GET", "/api/v1/auth/me", token=token)[0] == 200 for _ in range(10))
    assert time.monotonic() - started < 30
    streams[0].close()
    end = time.monotonic() + 60
    while (again := open_stream(token)).status == 503:
        assert time.monotonic() < end
        time.sleep(0.5)
    assert again.status == 200


@pytest.mark.parametrize("query", ["?topics=x", "?topics=job,", "?topics=job%0A", "?topic=job"])
def test_refused_queries(server, query):
    assert server.call("GET", f"/api/v1/events{query}", token=server.login())[0] == 422


def test_without_a_token(server):
    assert server.call("GET", "/api/v1/events")[0] == 401


def test_sigterm_ends_streams_at_once(server, open_stream):
    stream = open_stream(server.login())
    assert stream.status == 200
    server.process.send_signal(signal.SIGTERM)
    # Not only when the time to drain is over and the worker is killed. (Granian itself, rarely, waits that long.)
    assert stream.ended.wait(DRAIN_SECONDS - 5)
    assert server.process.wait(3 * DRAIN_SECONDS) == 0
