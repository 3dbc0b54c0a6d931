"""The database dies under load: 503 meanwhile, no restart needed, nothing acknowledged is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pymysql
import pytest
from api_client import ApiClient, assert_problem
from pymysql.constants import ER

from backend.database.session import fetch


class Writers:
    """Threads that create numbered users, each with a key of its own and repeated until it is acknowledged."""

    def __init__(self, app, token: dict):
        self._app, self._tokens = app, token
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(4)]
        self.acknowledged: list[str] = []
        self.refused: list = []
        self.others: list = []

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number: int) -> None:
        client = ApiClient(self._app)
        client.tokens = self._tokens
        count = 0
        while not self._stop.is_set():
            count += 1
            self._create(client, f"writer{number}-{count}@example.com")

    def _create(self, client: ApiClient, email: str) -> None:
        body = {"email": email, "full_name": "W", "role": "viewer", "password": "password of a user"}
        while True:
            answer = client.post("/api/v1/users", json=body, headers={"Idempotency-Key": email})
            if answer.status_code == 201:
                self.acknowledged.append(email)
                return
            if answer.status_code != 503:
                self.others.append(answer.text)
                return
            self.refused.append(answer)
            time.sleep(0.05)


def stored_emails(client: ApiClient) -> list[str]:
    first = client.get("/api/v1/users?per_page=100").json
    pages = range(1, first["pagination"]["pages"] + 1)
    return [
        user["email"]
        for page in pages
        for user in client.get(f"/api/v1/users?per_page=100&page={page}&sort=id").json["users"]
    ]


def wait_for(condition, timeout: float = 180) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "the backend did not recover by itself"
        time.sleep(0.2)


@contextmanager
def already_gone_is_fine() -> Iterator[None]:
    """What this process forgot may be closed by its garbage collector before the server is asked to."""
    try:
        yield
    except pymysql.MySQLError as error:
        if error.args[0] != ER.NO_SUCH_THREAD:
            raise


def test_kill_under_acknowledged_writes(app, admin, services, server, kills):
    with Writers(app, admin.tokens) as writers:
        for _ in range(kills):
            before, refused = len(writers.acknowledged), len(writers.refused)
            wait_for(lambda: len(writers.acknowledged) >= before + 20)  # noqa: B023
            server.kill()
            wait_for(lambda: len(writers.refused) > refused)  # noqa: B023
            server.start()
            server.wait_healthy()
            wait_for(lambda: admin.get("/readyz").status_code == 200)
    # A write that happened twice would be refused the second time: the e-mail address is taken.
    assert writers.others == []
    for answer in writers.refused:
        problem = assert_problem(answer, 503)
        assert problem["type"] == "urn:triptych:problem:database-unavailable"
        assert int(answer.headers["Retry-After"]) > 0
    stored = [email for email in stored_emails(admin) if email.startswith("writer")]
    lost, unknown = set(writers.acknowledged) - set(stored), set(stored) - set(writers.acknowledged)
    events = services.database.read(
        lambda db: fetch(db, "SELECT target_id FROM audit_events WHERE action = %s", "users.create")
    )
    print(
        f"{server.recipe.image}: {kills} kills, {len(writers.acknowledged)} writes acknowledged,"
        f" {len(writers.refused)} answers 503, {len(lost)} lost, {len(stored) - len(set(stored))} twice"
    )
    assert lost == unknown == set()
    assert len(stored) == len(set(stored)) == len(writers.acknowledged)
    # The audit log has no unique column that would hide a repetition.
    created = [event["target_id"] for event in events]
    assert len(created) == len(set(created)) >= len(stored)


def test_away_and_back(app, admin, anonymous, server):
    server.stop()
    try:
        started = time.monotonic()
        assert_problem(admin.get("/api/v1/users"), 503)
        assert_problem(anonymous.post("/api/v1/auth/login", json={"email": "a@b.example", "password": "x"}), 503)
        ready = anonymous.get("/readyz")
        assert ready.status_code == 503
        assert ready.json["checks"]["database"]["status"] == "unavailable"
        assert anonymous.get("/healthz").status_code == 200
        assert time.monotonic() - started < 30
        assert 'database_transaction_errors_total{outcome="unavailable"}' in anonymous.get("/metrics").text
    finally:
        server.start()
        server.wait_healthy()
    wait_for(lambda: anonymous.get("/readyz").status_code == 200)
    assert admin.get("/api/v1/users").status_code == 200


def test_connections_that_the_server_closed_are_replaced(admin, services, server):
    assert admin.get("/api/v1/users").status_code == 200
    if server.recipe.db_type == "postgresql":
        close_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = current_user"
        services.database.write(lambda db: db.executesql(close_all))
    else:
        own, rows = services.database.read(
            lambda db: (db.executesql("SELECT CONNECTION_ID()")[0][0], db.executesql("SHOW PROCESSLIST"))
        )
        for number in {row[0] for row in rows if row[1] == "triptych"} - {own}:
            with already_gone_is_fine():
                services.database.write(lambda db, number=number: db.executesql(f"KILL {number}"))
    assert admin.get("/api/v1/users").status_code == 200


def test_strict_mode(services, server):
    """A value that is too long is an error, never cut."""
    with pytest.raises(Exception, match="(?i)too long"):
        services.database.write(lambda db: db.executesql("UPDATE users SET role = '" + "x" * 21 + "'"))


def test_statements_have_a_time_limit(services, server):
    statement = "SELECT pg_sleep(30)" if server.recipe.db_type == "postgresql" else "SELECT SLEEP(30)"
    started = time.monotonic()
    with pytest.raises(Exception, match="(?i)timeout|timed out|lost connection|interrupted"):
        services.database.read(lambda db: db.executesql(statement))
    assert time.monotonic() - started < 29
