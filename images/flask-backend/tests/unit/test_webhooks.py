"""Webhooks: no acknowledged change without its event, no call to an address that is not public."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network

import httpx2
import pytest
from api_client import assert_problem

from backend.database.session import fetch, now
from backend.events.outbox import emit
from backend.integrations import deliveries, outgoing, signing
from backend.integrations.addresses import AddressFence, ForbiddenAddress, UnknownHost
from backend.integrations.dispatcher import Dispatcher
from backend.integrations.outgoing import CircuitOpen, OutgoingClient, OutgoingError, TemporarilyFailed
from backend.problems import Problem
from backend.users.service import insert_user

LOOPBACK = [ip_network("127.0.0.0/8")]


class Receiver(ThreadingHTTPServer):
    """A real HTTP server that remembers requests and answers as told."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict, bytes]] = []
        self.answers: list[int] = []
        self.headers: dict[str, str] = {}
        self.delay = 0.0
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        time.sleep(self.server.delay)
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def receiver():
    server = Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def local(services, monkeypatch):
    """Allow loopback, as WEBHOOK_ALLOWED_NETWORKS would; returns the dispatcher."""
    monkeypatch.setattr(services.fence, "_allowed", LOOPBACK)
    services.outgoing._breakers.clear()
    return Dispatcher(services)


def create(admin, url: str, *events: str, **fields) -> dict:
    answer = admin.post("/api/v1/webhooks", json={"url": url, "events": events or ["users.*"], **fields})
    assert answer.status_code == 201, answer.text
    return answer.json


def log(admin, **query) -> list[dict]:
    return admin.get("/api/v1/webhooks/deliveries", query_string=query).json["deliveries"]


def make_due(services) -> None:
    table = services.database.dal.webhook_deliveries
    services.database.write(lambda db: db(table.id != "").update(next_attempt_at=now() - timedelta(seconds=1)))


def test_the_secret_is_shown_once_and_encrypted(admin, services):
    webhook = create(admin, "https://hooks.example.com/x")
    assert webhook["secret"].startswith("whsec_")
    for path in ("/api/v1/webhooks", f"/api/v1/webhooks/{webhook['id']}"):
        assert webhook["secret"] not in admin.get(path).text
    stored = services.database.read(lambda db: fetch(db, "SELECT secret FROM webhooks"))[0]["secret"]
    assert webhook["secret"] not in stored
    replaced = admin.post(f"/api/v1/webhooks/{webhook['id']}/secret").json
    assert replaced["secret"] != webhook["secret"]


def test_change_list_and_delete(admin):
    webhook = create(admin, "https://hooks.example.com/x", "users.create", "jobs.*")
    path = f"/api/v1/webhooks/{webhook['id']}"
    changed = admin.patch(path, json={"enabled": False, "events": ["*"], "description": "CRM"}).json
    assert (changed["enabled"], changed["events"], changed["description"]) == (False, ["*"], "CRM")
    assert admin.get("/api/v1/webhooks").json["webhooks"] == [changed]
    assert admin.delete(path).status_code == 204
    assert_problem(admin.get(path), 404)


def test_a_change_is_delivered_and_signed(admin, receiver, local):
    webhook = create(admin, receiver.url)
    user = admin.create_user(email="told@example.com")
    local.step()
    (path, headers, body), = receiver.requests  # fmt: skip
    assert path == "/hook"
    assert headers["Host"] == f"127.0.0.1:{receiver.server_port}"
    assert headers["Triptych-Event"] == "users.create"
    assert signing.verify(webhook["secret"], headers["Triptych-Signature"], body, time.time())
    document = json.loads(body)
    assert (document["type"], document["data"]["target_id"]) == ("users.create", str(user["id"]))
    assert "password" not in body.decode().replace("password_hash", "")
    (entry,) = log(admin, state="delivered")
    assert (entry["id"], entry["last_status"], entry["attempts"]) == (headers["Triptych-Delivery"], 204, 1)
    local.step()
    assert len(receiver.requests) == 1


def test_a_change_that_fails_tells_nobody(admin, services, receiver, local):
    create(admin, receiver.url)

    def work(db) -> None:
        emit(db, "users.create", {})
        raise Problem(409, "no")

    with pytest.raises(Problem):
        services.database.write(work)
    local.step()
    assert receiver.requests == []


def test_concurrent_changes_lose_no_event(admin, services, receiver, local):
    create(admin, receiver.url, "users.create")

    def one(number: int) -> None:
        fields = {"email": f"u{number}@example.com", "full_name": "U", "role": "viewer", "password": "x" * 12}
        insert_user(services.database, services.hasher, **fields, is_active=True)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        local.step()
    for _ in range(6):
        local.step()
    told = {json.loads(body)["data"]["target_id"] for _, _, body in receiver.requests}
    users = admin.get("/api/v1/users?per_page=100").json["users"]
    assert told >= {str(user["id"]) for user in users if user["role"] == "viewer"}
    assert len(receiver.requests) == 20


def test_retry_then_dead_letter_then_redelivery(admin, services, receiver, local, monkeypatch):
    monkeypatch.setattr(deliveries, "MAX_ATTEMPTS", 3)
    webhook = create(admin, receiver.url)
    admin.post(f"/api/v1/webhooks/{webhook['id']}/test")
    receiver.answers = [500, 429, 503]
    for attempt in range(1, 4):
        local.step()
        (entry,) = log(admin, webhook_id=webhook["id"])
        assert entry["attempts"] == attempt
        make_due(services)
    assert (entry["state"], entry["last_error"]) == ("dead", "answered 503")
    local.step()
    assert len(receiver.requests) == 3
    assert [row["id"] for row in log(admin, state="dead")] == [entry["id"]]
    path = f"/api/v1/webhooks/deliveries/{entry['id']}/redeliver"
    assert admin.post(path).status_code == 202
    assert_problem(admin.post(path), 409)
    local.step()
    assert log(admin)[0]["state"] == "delivered"
    assert_problem(admin.post("/api/v1/webhooks/deliveries/" + "0" * 32 + "/redeliver"), 404)


def test_a_refusal_is_final(admin, receiver, local):
    webhook = create(admin, receiver.url)
    admin.post(f"/api/v1/webhooks/{webhook['id']}/test")
    receiver.answers = [410]
    local.step()
    assert log(admin)[0]["state"] == "dead"


def test_disabled_and_other_events_are_not_sent(admin, receiver, local):
    create(admin, receiver.url, "users.*", enabled=False)
    create(admin, receiver.url, "guard.*")
    admin.create_user()
    local.step()
    assert receiver.requests == []


def test_redirects_are_not_followed(admin, receiver, local):
    webhook = create(admin, receiver.url)
    admin.post(f"/api/v1/webhooks/{webhook['id']}/test")
    receiver.answers, receiver.headers = [302], {"Location": receiver.url}
    local.step()
    assert len(receiver.requests) == 1
    assert log(admin)[0]["last_error"] == "answered 302"


def drip(connection: socket.socket, first: bytes) -> None:
    """Keep a client waiting: something comes again and again, and never the end."""
    with contextlib.suppress(OSError):
        connection.recv(4096)
        connection.sendall(first)
        while True:
            connection.sendall(b"a")
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("scheme", "first"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nX-Endless: "),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("https", b"\x16\x03\x03\x40\x00\x02"),  # a handshake record of 16 KiB begins
    ],
    ids=["head", "body", "handshake"],
)
def test_a_receiver_that_never_ends_is_hung_up_on(monkeypatch, scheme, first):
    monkeypatch.setattr(outgoing, "TOTAL_SECONDS", 0.6)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: drip(server.accept()[0], first), daemon=True).start()
        started = time.monotonic()
        with pytest.raises(TemporarilyFailed, match="took more than"):
            url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/"
            OutgoingClient(AddressFence(LOOPBACK)).call("POST", url, {}, b"{}")
        assert 0.5 < time.monotonic() - started < 20


def test_a_slow_receiver_times_out(admin, receiver, local, monkeypatch):
    local._services.outgoing._client.timeout = httpx2.Timeout(30, read=0.2)
    webhook = create(admin, receiver.url)
    admin.post(f"/api/v1/webhooks/{webhook['id']}/test")
    receiver.delay = 30
    try:
        local.step()
    finally:
        timeout = httpx2.Timeout(outgoing.READ_SECONDS, connect=outgoing.CONNECT_SECONDS)
        local._services.outgoing._client.timeout = timeout
    entry = log(admin)[0]
    assert entry["state"] == "pending"
    assert "ReadTimeout" in entry["last_error"]


def test_pauses_double_up_to_an_hour():
    for attempts, seconds in ((1, 10), (2, 20), (5, 160), (12, 3600)):
        for _ in range(50):
            assert 0.75 * seconds <= deliveries.pause(attempts).total_seconds() <= 1.25 * seconds


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255",
        "224.0.0.1", "192.0.0.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "fec0::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address):
    with pytest.raises(ForbiddenAddress, match="WEBHOOK_ALLOWED_NETWORKS"):
        AddressFence([]).check(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_public_addresses(address):
    AddressFence([]).check(address)


def test_the_allow_list_names_networks():
    fence = AddressFence([ip_network("10.1.0.0/16")])
    fence.check("10.1.2.3")
    fence.check("::ffff:10.1.2.3")
    with pytest.raises(ForbiddenAddress):
        fence.check("10.2.0.1")


def test_one_private_address_among_public_ones_refuses_the_host():
    fence = AddressFence([], resolver=lambda host, port: ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(ForbiddenAddress):
        fence.address("mixed.example.com", 443)


def test_rebinding_finds_the_checked_address(receiver):
    """The name is resolved once; what it says a moment later changes nothing."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    fence = AddressFence(LOOPBACK, resolver=lambda host, port: next(answers))
    client = OutgoingClient(fence)
    url = f"http://rebind.example.com:{receiver.server_port}/x"
    assert client.call("POST", url, {}, b"{}").status == 204
    assert receiver.requests[0][1]["Host"] == f"rebind.example.com:{receiver.server_port}"
    with pytest.raises(OutgoingError, match="no public address"):
        client.call("POST", url, {}, b"{}")
    assert len(receiver.requests) == 1


def test_names_that_do_not_resolve_are_tried_later():
    def nowhere(host: str, port: int) -> list[str]:
        raise UnknownHost("gone")

    with pytest.raises(TemporarilyFailed, match="gone"):
        OutgoingClient(AddressFence([], resolver=nowhere)).call("GET", "https://x.example.com/", {})


def test_the_circuit_opens_and_retries_are_bounded(receiver):
    client = OutgoingClient(AddressFence(LOOPBACK))
    receiver.answers = [500] * 20
    with pytest.raises(TemporarilyFailed):
        client.call("POST", receiver.url, {}, b"", tries=3)
    assert len(receiver.requests) == 3
    for _ in range(outgoing.FAILURES_TO_OPEN - 3):
        with pytest.raises(TemporarilyFailed):
            client.call("POST", receiver.url, {}, b"")
    with pytest.raises(CircuitOpen):
        client.call("POST", receiver.url, {}, b"")
    assert len(receiver.requests) == outgoing.FAILURES_TO_OPEN


def test_an_open_circuit_costs_no_try(admin, services, receiver, local):
    webhook = create(admin, receiver.url)
    receiver.answers = [500] * 20
    for _ in range(outgoing.FAILURES_TO_OPEN):
        with pytest.raises(TemporarilyFailed):
            services.outgoing.call("POST", receiver.url, {}, b"")
    admin.post(f"/api/v1/webhooks/{webhook['id']}/test")
    local.step()
    assert (log(admin)[0]["state"], log(admin)[0]["attempts"]) == ("pending", 0)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "https://", "https://user:pw@example.com/", "https://example.com/#x", "https://exa mple.com/",
        "https://example.com:99999/", "https://example.com:0/", "https://bücher.example/", "http://127.0.0.1/",
        "https://169.254.169.254/latest", "https://[::1]/", "https://[fe80::1]/", "https://exam\\ple.com/", "x" * 2001,
    ],
)  # fmt: skip
def test_refused_urls(admin, url):
    problem = assert_problem(admin.post("/api/v1/webhooks", json={"url": url, "events": ["*"]}), 422)
    assert "url" in problem["errors"]["json"]


def test_refused_descriptions(admin):
    body = {"url": "https://example.com", "events": ["*"], "description": "a\u202eb"}
    assert "description" in assert_problem(admin.post("/api/v1/webhooks", json=body), 422)["errors"]["json"]


@pytest.mark.parametrize(
    "events", [[], ["users"], ["users.*\n"], ["*.*"], ["Users.create"], "users.*", ["a.b"] * 31, [1]]
)
def test_refused_events(admin, events):
    assert_problem(admin.post("/api/v1/webhooks", json={"url": "https://example.com", "events": events}), 422)


def test_signatures():
    header = signing.signature("secret", 1000, b"body")
    assert signing.verify("secret", header, b"body", 1200)
    assert not signing.verify("secret", header, b"body", 1301)
    assert not signing.verify("secret", header, b"other", 1000)
    assert not signing.verify("else", header, b"body", 1000)
    assert not signing.verify("secret", "nonsense", b"body", 1000)
