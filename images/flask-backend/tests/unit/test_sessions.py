"""Login, refresh, logout: what ends a session ends it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from api_client import PASSWORD, ApiClient, assert_problem

from backend.auth.throttle import ADDRESS_LIMIT, PAIR_LIMIT


def refresh(client: ApiClient, token: str):
    return client.post("/api/v1/auth/refresh", json={"refresh_token": token})


def test_login_answers_tokens_and_the_user(admin):
    tokens = admin.tokens
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 600
    assert set(tokens["user"]) == {"id", "email", "full_name", "role"}
    me = admin.get("/api/v1/auth/me").json
    assert me["email"] == "admin@example.com"
    assert me["is_active"] is True
    assert me["created_at"].endswith("Z")


def test_login_ignores_the_case_of_the_address(app):
    ApiClient(app).login("ADMIN@Example.COM", "admin")


@pytest.mark.parametrize(
    ("email", "password"), [("admin@example.com", "wrong"), ("nobody@example.com", "admin"), ("' OR 1=1 --", "x")]
)
def test_wrong_credentials_get_one_and_the_same_answer(anonymous, email, password):
    problem = assert_problem(anonymous.post("/api/v1/auth/login", json={"email": email, "password": password}), 401)
    assert problem["type"] == "urn:triptych:problem:bad-credentials"
    assert problem["detail"] == "Wrong e-mail address or password."


def test_inactive_user_cannot_log_in(app, admin):
    admin.create_user(is_active=False)
    body = {"email": "user@example.com", "password": PASSWORD}
    assert_problem(ApiClient(app).post("/api/v1/auth/login", json=body), 401)


def test_refresh_rotates_both_tokens(admin):
    old = admin.tokens
    new = refresh(admin, old["refresh_token"]).json
    assert new["refresh_token"] != old["refresh_token"]
    admin.tokens = new
    assert admin.get("/api/v1/auth/me").status_code == 200


def test_reuse_of_a_refresh_token_ends_the_whole_family(admin):
    stolen = admin.tokens["refresh_token"]
    admin.tokens = refresh(admin, stolen).json
    assert_problem(refresh(admin, stolen), 401)
    assert_problem(admin.get("/api/v1/auth/me"), 401)
    assert_problem(refresh(admin, admin.tokens["refresh_token"]), 401)


def test_of_concurrent_refreshes_at_most_one_wins(app, admin):
    token = admin.tokens["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: refresh(ApiClient(app), token).status_code, range(8)))
    assert set(answers) == {200, 401}
    assert answers.count(200) == 1


def test_refresh_tokens_are_not_stored_in_the_clear(services, admin):
    rows = services.database.read(lambda db: db.executesql("SELECT token_hash FROM refresh_tokens"))
    assert rows
    assert admin.tokens["refresh_token"] not in {row[0] for row in rows}


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "../../etc/passwd"])
def test_unknown_refresh_token(anonymous, token):
    answer = refresh(anonymous, token)
    assert_problem(answer, 422 if token == "" else 401)


def test_logout_ends_access_and_refresh(admin):
    assert admin.post("/api/v1/auth/logout", json={}).status_code == 204
    assert_problem(admin.get("/api/v1/auth/me"), 401)
    assert_problem(refresh(admin, admin.tokens["refresh_token"]), 401)


def test_logout_without_a_body(admin):
    assert admin.post("/api/v1/auth/logout").status_code == 204


def test_logout_leaves_other_sessions(app, admin):
    other = ApiClient(app).login("admin@example.com", "admin")
    admin.post("/api/v1/auth/logout")
    assert other.get("/api/v1/auth/me").status_code == 200


@pytest.mark.parametrize("change", [{"role": "maintainer"}, {"is_active": False}, {"password": "another password"}])
def test_a_change_of_rights_ends_sessions(app, admin, change):
    user = admin.create_user()
    client = ApiClient(app).login("user@example.com", PASSWORD)
    assert admin.patch(f"/api/v1/users/{user['id']}", json=change).status_code == 200
    assert_problem(client.get("/api/v1/auth/me"), 401)
    assert_problem(refresh(client, client.tokens["refresh_token"]), 401)


def test_a_change_of_name_keeps_sessions(app, admin):
    user = admin.create_user()
    client = ApiClient(app).login("user@example.com", PASSWORD)
    admin.patch(f"/api/v1/users/{user['id']}", json={"full_name": "New Name", "role": "viewer"})
    assert client.get("/api/v1/auth/me").json["full_name"] == "New Name"


def test_delete_ends_sessions(app, admin):
    user = admin.create_user()
    client = ApiClient(app).login("user@example.com", PASSWORD)
    assert admin.delete(f"/api/v1/users/{user['id']}").status_code == 204
    assert_problem(client.get("/api/v1/auth/me"), 401)


def test_throttle_stops_guessing_but_locks_nobody_else_out(app, anonymous):
    wrong = {"email": "admin@example.com", "password": "wrong"}
    for _ in range(PAIR_LIMIT):
        assert_problem(anonymous.post("/api/v1/auth/login", json=wrong), 401)
    answer = anonymous.post("/api/v1/auth/login", json=wrong | {"password": "admin"})
    assert_problem(answer, 429)
    assert int(answer.headers["Retry-After"]) > 0
    elsewhere = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
    assert anonymous.post("/api/v1/auth/login", json=wrong | {"password": "admin"}, **elsewhere).status_code == 200


def test_throttle_stops_an_address_that_tries_many_accounts(services):
    for number in range(ADDRESS_LIMIT):
        assert services.throttle.begin(f"{number}@example.com", "192.0.2.9")
    assert services.throttle.begin("one-more@example.com", "192.0.2.9") is None
    assert services.throttle.begin("one-more@example.com", "192.0.2.10")


def test_successful_logins_do_not_count(app):
    for _ in range(PAIR_LIMIT + 5):
        ApiClient(app).login("admin@example.com", "admin")


def test_login_metrics(app, anonymous):
    anonymous.post("/api/v1/auth/login", json={"email": "admin@example.com", "password": "wrong"})
    ApiClient(app).login("admin@example.com", "admin")
    text = anonymous.get("/metrics").text
    for outcome in ("accepted", "refused"):
        line = next(line for line in text.splitlines() if f'login_attempts_total{{outcome="{outcome}"}}' in line)
        assert float(line.split()[-1]) >= 1
    assert 'http_requests_total{method="POST",route="/api/v1/auth/login",status="200"}' in text
    assert 'http_request_duration_seconds_count{method="POST",route="/api/v1/auth/login"}' in text
