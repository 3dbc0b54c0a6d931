"""The command `backend serve` as it really runs: Granian, one worker, SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from ports import free_port

from backend.server import DRAIN_SECONDS
from backend.smoke import Api

SOURCE = Path(__file__).resolve().parents[2] / "src"
LOGIN = json.dumps({"email": "admin@example.com", "password": "admin"}).encode()


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCE),
        "ENVIRONMENT": "alpha",
        "DB_TYPE": "sqlite",
        "PASSWORD_HASH_COST": "10",
        "DB_SQLITE_PATH": str(tmp_path_factory.mktemp("served") / "served.db"),
        "PORT": str(free_port()),
    }


def backend(environment: dict, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "backend", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)


def fetch(environment: dict, path: str, data: bytes | None = None, headers: dict | None = None) -> tuple[int, dict]:
    url = f"http://127.0.0.1:{environment['PORT']}{path}"
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"} | (headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def login(environment: dict) -> tuple[int, dict]:
    return fetch(environment, "/api/v1/auth/login", LOGIN)


def wait_for(check: Callable[[], object], message: str) -> None:
    end = time.monotonic() + 60
    while not check():
        assert time.monotonic() < end, f"not yet: {message}"
        time.sleep(0.1)


def log_lines(served: subprocess.Popen) -> list[dict]:
    whole, _, _ = served.log.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def logged(served: subprocess.Popen, request_id: str) -> dict | None:
    """The log's line about a request."""
    found = [line for line in log_lines(served) if line["message"] == "request" and line["request_id"] == request_id]
    return found[0] if found else None


@pytest.fixture(scope="module")
def served(environment, tmp_path_factory):
    """A running server with its log; the last test of the file ends it."""
    command = [sys.executable, "-m", "backend", "serve", "--migrate", "--address", "127.0.0.1"]
    path = tmp_path_factory.mktemp("log") / "log"
    with path.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.DEVNULL)
    process.log = path
    end = time.monotonic() + 90
    while backend(environment, "healthcheck").returncode:
        assert time.monotonic() < end, process.log.read_text()
        time.sleep(0.3)
    yield process
    process.terminate()
    process.wait(3 * DRAIN_SECONDS)


def test_smoke(served, environment):
    url = f"http://127.0.0.1:{environment['PORT']}"
    result = backend(environment, "smoke", "--url", url, "--password", "admin")
    assert result.returncode == 0, result.stderr
    wrong = backend(environment, "smoke", "--url", url, "--password", "wrong")
    assert wrong.returncode == 1
    assert "answered 401" in wrong.stderr.splitlines()[-1]
    missing = backend(environment, "smoke", "--url", url, "--password", "admin", "--expect-fast-path", "--timeout", "0")
    assert missing.returncode == 1
    assert "the fast path is not_installed" in missing.stderr


def test_smoke_of_a_first_admin_who_must_change_the_password_or_did(served, environment, tmp_path):
    url = f"http://127.0.0.1:{environment['PORT']}"
    file = tmp_path / "password"
    file.write_text("an initial password")
    login = ("--email", "second@example.com", "--password-file", str(file))
    assert backend(environment, "create-admin", *login).returncode == 0
    api = Api(url)
    body = {"email": "second@example.com", "password": "an initial password"}
    tokens = api.call("POST", "/api/v1/auth/login", body)
    api.token = tokens["access_token"]
    api.call("PATCH", f"/api/v1/users/{tokens['user']['id']}", {"must_change_password": True})
    smoke = ("smoke", "--url", url, *login, "--password-may-have-changed")
    pending = backend(environment, *smoke)
    assert pending.returncode == 0, pending.stderr
    assert "must change the password first" in pending.stderr
    passwords = {"current_password": "an initial password", "new_password": "one of my own"}
    api.call("POST", "/api/v1/auth/password", passwords, expect=204)
    changed = backend(environment, *smoke)
    assert changed.returncode == 0, changed.stderr
    assert "has a password of their own by now" in changed.stderr
    assert backend(environment, *smoke[:-1]).returncode == 1


def test_bodies_of_ten_megabytes_are_refused(served, environment):
    try:
        status, problem = fetch(environment, "/api/v1/auth/login", b"x" * 10_000_000)
    except (ConnectionError, urllib.error.URLError):
        # The server may close before it took all; it must still live.
        status, problem = 413, {"status": 413}
    assert status == problem["status"] == 413
    assert fetch(environment, "/healthz")[0] == 200


def exchange(environment: dict, head: str, body: bytes) -> socket.socket:
    """A connection on which this much of a login was sent."""
    connection = socket.create_connection(("127.0.0.1", int(environment["PORT"])), timeout=60)
    lines = ["POST /api/v1/auth/login HTTP/1.1", "Host: x", "Content-Type: application/json", head, "", ""]
    connection.sendall("\r\n".join(lines).encode() + body)
    return connection


def test_clients_that_never_send_their_body_take_no_more_than_half_of_the_threads(served, environment):
    stalled = [exchange(environment, "Content-Length: 100", b'{"email":') for _ in range(60)]
    try:
        wait_for(lambda: login(environment)[0] == 503, "they take half of the threads")
        assert login(environment)[1]["type"] == "urn:triptych:problem:busy"
        for _ in range(5):
            assert fetch(environment, "/healthz")[0] == 200
    finally:
        for connection in stalled:
            connection.close()
    wait_for(lambda: login(environment)[0] == 200, "the threads of the closed connections are free again")


def test_a_body_that_ended_early_is_not_taken_for_a_whole_one(served, environment):
    whole = json.dumps({"email": "cut@example.com", "password": "admin"}).encode()
    head = f"X-Request-ID: ended-early\r\nContent-Length: {len(whole) + 2}"
    with exchange(environment, head, whole) as connection:
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.5)
    wait_for(lambda: logged(served, "ended-early"), "the request is logged")
    assert logged(served, "ended-early")["status"] == 400


def test_a_body_that_does_not_say_how_long_it_is_has_the_same_limit(served, environment):
    padded = b'{"email": "a@example.com", "password": "admin"}' + b" " * 1024 * 1024 + b"garbage"
    chunk = f"{len(padded):x}\r\n".encode() + padded + b"\r\n0\r\n\r\n"
    with exchange(environment, "Transfer-Encoding: chunked", chunk) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_log_is_json_without_secrets(served, environment):
    body = json.dumps({"email": "admin@example.com", "password": "unmistakable"}).encode()
    assert fetch(environment, "/api/v1/auth/login", body, {"X-Request-ID": "without-secrets"})[0] == 401
    assert fetch(environment, "/no/such/path")[0] == 404
    request = logged(served, "without-secrets")
    assert request["path"] == "/api/v1/auth/login"
    assert request["status"] == 401
    assert [len(line["request_id"]) for line in log_lines(served) if line.get("path") == "/no/such/path"] == [32]
    assert "unmistakable" not in served.log.read_text()


def test_sigterm_answers_what_is_under_way(served, environment):
    head = f"Expect: 100-continue\r\nContent-Length: {len(LOGIN)}"
    with ExitStack() as stack:
        under_way = [stack.enter_context(exchange(environment, head, b"")) for _ in range(4)]
        for connection in under_way:
            # The server says so when the application reads the body.
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        served.send_signal(signal.SIGTERM)
        for connection in under_way:
            connection.sendall(LOGIN)
        assert [connection.recv(100)[:13] for connection in under_way] == [b"HTTP/1.1 200 "] * 4
    assert served.wait(3 * DRAIN_SECONDS) == 0
    assert backend(environment, "healthcheck").returncode == 1
