"""Login, refresh, logout: what ends a session ends it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from api_client import PASSWORD, ApiClient, assert_problem

from backend.auth import refresh as refresh_service
from backend.auth.throttle import PAIR_LIMIT
from backend.database.session import now


def refresh(client: ApiClient, token: str):
    return client.post("/api/v1/auth/refresh", json={"refresh_token": token})


def test_login_answers_tokens_and_the_user(admin):
    tokens = admin.tokens
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 600
    assert set(tokens["user"]) == {"id", "email", "full_name", "role", "must_change_password"}
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


@pytest.fixture
def after_the_grace(monkeypatch):
    monkeypatch.setattr(refresh_service, "GRACE", timedelta(seconds=-1))


@pytest.mark.usefixtures("after_the_grace")
def test_reuse_of_a_refresh_token_ends_the_whole_family(admin):
    stolen = admin.tokens["refresh_token"]
    admin.tokens = refresh(admin, stolen).json
    assert_problem(refresh(admin, stolen), 401)
    assert_problem(admin.get("/api/v1/auth/me"), 401)
    assert_problem(refresh(admin, admin.tokens["refresh_token"]), 401)


@pytest.mark.usefixtures("after_the_grace")
def test_of_concurrent_refreshes_at_most_one_wins_after_the_grace(app, admin):
    token = admin.tokens["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: refresh(ApiClient(app), token).status_code, range(8)))
    assert set(answers) == {200, 401}
    assert answers.count(200) == 1


def test_concurrent_refreshes_get_one_and_the_same_successor(app, services, admin):
    token = admin.tokens["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: refresh(ApiClient(app), token), range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.json["refresh_token"] for answer in answers}) == 1
    count = services.database.read(lambda db: db.executesql("SELECT COUNT(*) FROM refresh_tokens"))
    assert count[0][0] == 2
    admin.tokens = answers[0].json
    assert admin.get("/api/v1/auth/me").status_code == 200


def test_the_grace_ends_when_the_successor_is_spent(admin):
    first = admin.tokens["refresh_token"]
    second = refresh(admin, first).json["refresh_token"]
    third = refresh(admin, second).json
    assert refresh(admin, second).json["refresh_token"] == third["refresh_token"]
    assert_problem(refresh(admin, first), 401)
    assert_problem(refresh(admin, third["refresh_token"]), 401)


def test_a_thief_and_the_owner_who_share_a_successor_are_found_out(admin, monkeypatch):
    shared = refresh(admin, admin.tokens["refresh_token"]).json["refresh_token"]
    assert refresh(admin, admin.tokens["refresh_token"]).json["refresh_token"] == shared
    monkeypatch.setattr(refresh_service, "GRACE", timedelta(seconds=-1))
    owner = refresh(admin, shared).json["refresh_token"]
    assert_problem(refresh(admin, shared), 401)
    assert_problem(refresh(admin, owner), 401)


def test_the_database_alone_derives_no_token(services, admin):
    successor = refresh(admin, admin.tokens["refresh_token"]).json["refresh_token"]
    rows = services.database.read(lambda db: db.executesql("SELECT token_hash, successor_salt FROM refresh_tokens"))
    salt = next(row[1] for row in rows if row[1])
    stored = [value for row in rows for value in row if value]
    assert successor not in stored
    assert successor not in {refresh_service._successor(value, salt) for value in stored}


def test_a_session_ends_after_its_longest_lifetime(services, admin):
    long_ago = now() - timedelta(days=29, hours=23)

    def age(db) -> None:
        db(db.sessions.id != "").update(created_at=long_ago)

    services.database.write(age)
    admin.tokens = refresh(admin, admin.tokens["refresh_token"]).json
    (session,) = admin.get("/api/v1/auth/sessions").json["sessions"]
    expires = datetime.fromisoformat(session["expires_at"])
    assert timedelta(0) < expires - datetime.now(UTC) < timedelta(hours=1, minutes=1)


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


def test_logout_all_ends_every_session_of_this_user_only(app, admin):
    admin.create_user()
    clients = [ApiClient(app).login("user@example.com", PASSWORD) for _ in range(3)]
    assert clients[0].post("/api/v1/auth/logout-all").status_code == 204
    for client in clients:
        assert_problem(client.get("/api/v1/auth/me"), 401)
        assert_problem(refresh(client, client.tokens["refresh_token"]), 401)
    assert admin.get("/api/v1/auth/me").status_code == 200


def test_sessions_are_listed_with_where_they_come_from(app, admin):
    admin.create_user()
    headers = {"User-Agent": "Browser\t1.0 " + "x" * 300}
    other = ApiClient(app)
    answer = other.post(
        "/api/v1/auth/login",
        json={"email": "user@example.com", "password": PASSWORD},
        headers=headers,
        environ_base={"REMOTE_ADDR": "2001:db8::7"},
    )
    own = ApiClient(app).login("user@example.com", PASSWORD)
    listed = {session["address"]: session for session in own.get("/api/v1/auth/sessions").json["sessions"]}
    assert set(listed) == {"127.0.0.1", "2001:db8::7"}
    assert listed["127.0.0.1"]["current"] is True
    elsewhere = listed["2001:db8::7"]
    assert elsewhere["current"] is False
    assert elsewhere["user_agent"].startswith("Browser1.0 x")
    assert len(elsewhere["user_agent"]) == 200
    assert own.delete(f"/api/v1/auth/sessions/{elsewhere['id']}").status_code == 204
    assert_problem(refresh(own, answer.json["refresh_token"]), 401)
    assert own.get("/api/v1/auth/me").status_code == 200
    assert_problem(own.delete(f"/api/v1/auth/sessions/{elsewhere['id']}"), 404)


def test_of_very_many_sessions_the_own_and_the_last_used_are_listed(admin, services):
    (own,) = admin.get("/api/v1/auth/sessions").json["sessions"]

    def work(db) -> None:
        (row,) = db(db.sessions.id == own["id"]).select().as_list()
        for number in range(300):
            later = row["last_used_at"] + timedelta(seconds=number + 1)
            db.sessions.insert(**row | {"id": f"{number:032x}", "last_used_at": later})

    services.database.write(work)
    listed = admin.get("/api/v1/auth/sessions").json["sessions"]
    assert len(listed) == 200
    assert [session["id"] for session in listed[:2]] == [own["id"], f"{299:032x}"]


def test_nobody_ends_the_session_of_another_user(app, admin):
    admin.create_user()
    client = ApiClient(app).login("user@example.com", PASSWORD)
    (session,) = admin.get("/api/v1/auth/sessions").json["sessions"]
    assert_problem(client.delete(f"/api/v1/auth/sessions/{session['id']}"), 404)
    assert admin.get("/api/v1/auth/me").status_code == 200


@pytest.mark.parametrize("session_id", ["x", "0" * 33, "%00" * 32, "..%2f" * 8])
def test_odd_session_ids(admin, session_id):
    assert_problem(admin.delete(f"/api/v1/auth/sessions/{session_id}"), 404)


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
