"""What API tests share: settings, a small client, and a way back to the first state."""

from __future__ import annotations

import re

from flask import Flask
from werkzeug.test import TestResponse

from backend.audit import service as audit
from backend.auth.counters import MemoryCounters
from backend.config import Settings
from backend.database.background_tables import background_tables
from backend.users.service import insert_user

PASSWORD = "password of a user"
# Those that name a user come before the users.
ACCOUNT_TABLES = ("api_keys", "login_challenges", "recovery_codes", "refresh_tokens", "sessions", "users")


# Values of path arguments that name nothing there is.
SAMPLES = {
    "user_id": "999999",
    "key_id": "999999",
    "session_id": "0" * 32,
    "job_id": "0" * 32,
    "webhook_id": "999999",
    "delivery_id": "0" * 32,
    "rule_id": "0" * 32,
}


def sample_path(rule: str) -> str:
    """A path of the rule that names nothing there is, whether its arguments are written `<int:id>` or `{id}`."""
    return re.sub(r"<(?:[^<>]*:)?(\w+)>|\{(\w+)\}", lambda match: SAMPLES[match[1] or match[2]], rule)


def make_settings(**values) -> Settings:
    """Settings of an alpha environment with the cheapest password hashes."""
    return Settings(**{"environment": "alpha", "password_hash_cost": 4, "trusted_proxy_hops": 0, **values})


def _own_tables(db) -> tuple:
    return db.audit_events, db.idempotency_keys, *(db[name] for name in ACCOUNT_TABLES)


def reset(app: Flask) -> None:
    """Leave nothing in the database but the first admin, and forget failed logins and open answers."""
    services = app.extensions["backend"]

    def empty(db) -> None:
        with audit.deletes_allowed(db):
            for table in (*background_tables(db), *_own_tables(db)):
                db.executesql(f"DELETE FROM {table._rname}")

    services.database.write(empty)
    services.throttle.counters.memory = MemoryCounters()
    # An answer that a test did not read to its end keeps its place: behind the test client no server closes it.
    for slots in (services.streams, services.downloads):
        while slots.open:
            slots.give_back()
    insert_user(
        services.database,
        services.hasher,
        email="admin@example.com",
        full_name="Administrator",
        role="admin",
        password="admin",
        is_active=True,
    )


class ApiClient:
    """Flask's test client with a Bearer token."""

    def __init__(self, app: Flask):
        self._client = app.test_client()
        self.tokens: dict = {}

    def login(self, email: str, password: str) -> ApiClient:
        answer = self.post("/api/v1/auth/login", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        self.tokens = answer.json
        return self

    def request(self, method: str, path: str, **options) -> TestResponse:
        headers = dict(options.pop("headers", {}))
        if self.tokens:
            headers.setdefault("Authorization", f"Bearer {self.tokens['access_token']}")
        return self._client.open(path, method=method, headers=headers, **options)

    def get(self, path: str, **options) -> TestResponse:
        return self.request("GET", path, **options)

    def post(self, path: str, **options) -> TestResponse:
        return self.request("POST", path, **options)

    def patch(self, path: str, **options) -> TestResponse:
        return self.request("PATCH", path, **options)

    def put(self, path: str, **options) -> TestResponse:
        return self.request("PUT", path, **options)

    def delete(self, path: str, **options) -> TestResponse:
        return self.request("DELETE", path, **options)

    def create_user(self, **fields) -> dict:
        body = {"email": "user@example.com", "full_name": "A User", "role": "viewer", "password": PASSWORD}
        answer = self.post("/api/v1/users", json=body | fields)
        assert answer.status_code == 201, answer.text
        return answer.json


def assert_problem(answer: TestResponse, status: int) -> dict:
    """The answer is a problem document with this status; returns it."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    problem = answer.get_json(force=True)
    assert problem["status"] == status
    assert problem["title"]
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    return problem
