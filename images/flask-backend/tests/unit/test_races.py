"""What a request relies on goes away while it runs: a clear refusal, never a server error."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from api_client import PASSWORD, ApiClient, assert_problem

from backend.auth import gate, refresh

NEW_PASSWORD = "another password of a user"
GUARD_RULE = {"prefix": "192.0.2.0/24", "action": "deny"}
WEBHOOK = {"url": "https://example.com/", "events": ["*"]}
PASSWORDS = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
USER = {"email": "new@example.com", "full_name": "New", "role": "viewer", "password": PASSWORD}


@pytest.fixture
def meanwhile(monkeypatch) -> Callable[[Callable[[], object]], None]:
    """A function that lets something happen once, between the next request's authentication and its view."""
    authorise = gate._authorise

    def let(happen: Callable[[], object]) -> None:
        def authorised(*arguments) -> None:
            monkeypatch.setattr(gate, "_authorise", authorise)
            authorise(*arguments)
            # In a thread of its own: a request within a request would share its `g`.
            with ThreadPoolExecutor(1) as pool:
                pool.submit(happen).result()

        monkeypatch.setattr(gate, "_authorise", authorised)

    return let


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "auth/me", None),
        ("GET", "auth/sessions", None),
        ("POST", "auth/logout", {}),
        ("POST", "auth/logout-all", {}),
        ("POST", "auth/password", PASSWORDS),
        ("GET", "auth/totp", None),
        ("POST", "auth/totp", {"password": PASSWORD}),
        ("POST", "auth/totp/confirm", {"code": "123456"}),
        ("POST", "auth/totp/disable", {"password": PASSWORD, "code": "123456"}),
        ("POST", "api-keys", {"name": "ci", "role": "viewer"}),
        ("GET", "api-keys", None),
        ("POST", "users", USER),
        ("PATCH", "users/{own}", {"full_name": "Other"}),
        ("DELETE", "users/{own}", None),
        ("POST", "users/{own}/password-reset", {}),
        ("DELETE", "users/{own}/totp", None),
        ("POST", "jobs", {"kind": "users.export"}),
        ("POST", "webhooks", WEBHOOK),
        ("POST", "guard/rules", GUARD_RULE),
    ],
)
def test_a_user_who_is_deleted_meanwhile(app, admin, meanwhile, method, path, body):
    own = admin.create_user(role="admin")
    client = ApiClient(app).login(own["email"], PASSWORD)
    meanwhile(lambda: admin.delete(f"/api/v1/users/{own['id']}"))
    headers = {"Idempotency-Key": "meanwhile"}  # its record belongs to the user, too
    path = f"/api/v1/{path.format(own=own['id'])}"
    answer = client.request(method, path, headers=headers, **({} if body is None else {"json": body}))
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert_problem(answer, answer.status_code)
    assert_problem(client.get("/api/v1/auth/me"), 401)


def test_a_user_who_is_deleted_while_their_token_is_refreshed(app, admin, services, monkeypatch):
    own = admin.create_user()
    client = ApiClient(app).login(own["email"], PASSWORD)
    fetch = refresh.fetch

    def deleting(db, *arguments) -> list[dict]:
        rows = fetch(db, *arguments)
        monkeypatch.setattr(refresh, "fetch", fetch)
        db(db.users.id == own["id"]).delete()
        return rows

    monkeypatch.setattr(refresh, "fetch", deleting)
    answer = client.post("/api/v1/auth/refresh", json={"refresh_token": client.tokens["refresh_token"]})
    assert_problem(answer, 401)


def at_once(*requests: Callable[[], object]) -> list[int]:
    """Status codes of requests that are made at the same time."""
    with ThreadPoolExecutor(len(requests)) as pool:
        return [answer.result().status_code for answer in [pool.submit(request) for request in requests]]


def test_a_webhook_that_is_deleted_while_it_is_tested(app, admin):
    def other() -> ApiClient:
        client = ApiClient(app)
        client.tokens = admin.tokens
        return client

    for _ in range(5):
        path = f"/api/v1/webhooks/{admin.post('/api/v1/webhooks', json=WEBHOOK).json['id']}"
        tests = [lambda path=path: other().post(f"{path}/test") for _ in range(4)]
        deleted, *tested = at_once(lambda path=path: other().delete(path), *tests)
        assert deleted == 204
        assert set(tested) <= {202, 404}


def test_a_rule_of_a_second_is_created(admin, monkeypatch):
    """Its time may be over before the answer is read: clocks are cut to seconds."""
    rule = admin.post("/api/v1/guard/rules", json=GUARD_RULE | {"ttl_seconds": 1})
    monkeypatch.setattr("backend.guard.rules._clock", lambda: "9999-12-31 00:00:00")
    other = GUARD_RULE | {"prefix": "198.51.100.0/24", "ttl_seconds": 1}
    assert (rule.status_code, admin.post("/api/v1/guard/rules", json=other).status_code) == (201, 201)
