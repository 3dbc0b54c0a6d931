"""What a request relies on goes away while it runs: a clear refusal, never a server error."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from api_client import PASSWORD, ApiClient, assert_problem

from backend.auth import gate, refresh
from backend.database.session import fetch, now

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


def other_password(admin, services, user_id: int) -> None:
    assert admin.patch(f"/api/v1/users/{user_id}", json={"password": NEW_PASSWORD}).status_code == 200


def disabled(admin, services, user_id: int) -> None:
    assert admin.patch(f"/api/v1/users/{user_id}", json={"is_active": False}).status_code == 200


def deleted(admin, services, user_id: int) -> None:
    assert admin.delete(f"/api/v1/users/{user_id}").status_code == 204


def second_factor_on(admin, services, user_id: int) -> None:
    services.database.write(lambda db: db(db.users.id == user_id).update(totp_confirmed_at=now()))


@pytest.mark.parametrize("change", [other_password, disabled, deleted, second_factor_on])
def test_a_login_that_a_change_overtakes_opens_no_session(app, admin, services, monkeypatch, change):
    own = admin.create_user()
    check = services.hasher.check

    def overtaken(*arguments) -> bool:
        fits = check(*arguments)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(change, admin, services, own["id"]).result()
        return fits

    monkeypatch.setattr(services.hasher, "check", overtaken)
    login = {"email": own["email"], "password": PASSWORD}
    assert_problem(ApiClient(app).post("/api/v1/auth/login", json=login), 401)
    sql = "SELECT COUNT(*) AS n FROM sessions WHERE user_id = %s"
    assert services.database.read(lambda db: fetch(db, sql, own["id"]))[0]["n"] == 0


def test_a_user_who_is_deleted_while_their_token_is_refreshed(app, admin, services, monkeypatch):
    own = admin.create_user()
    client = ApiClient(app).login(own["email"], PASSWORD)

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
