"""Own password, forced changes, and what a new password must be."""

from __future__ import annotations

import bcrypt
import pytest
from api_client import PASSWORD, ApiClient, assert_problem, make_settings

from backend.auth import passwords
from backend.auth.password_rules import check_password
from backend.problems import Problem

NEW = "a wholly different phrase"


def change(client: ApiClient, current: str = PASSWORD, new: str = NEW):
    return client.post("/api/v1/auth/password", json={"current_password": current, "new_password": new})


@pytest.fixture
def user(app, admin) -> ApiClient:
    admin.create_user()
    return ApiClient(app).login("user@example.com", PASSWORD)


def test_a_change_ends_every_session(app, user):
    other = ApiClient(app).login("user@example.com", PASSWORD)
    assert change(user).status_code == 204
    for client in (user, other):
        assert_problem(client.get("/api/v1/auth/me"), 401)
        refreshed = client.post("/api/v1/auth/refresh", json={"refresh_token": client.tokens["refresh_token"]})
        assert_problem(refreshed, 401)
    body = {"email": "user@example.com", "password": PASSWORD}
    assert_problem(ApiClient(app).post("/api/v1/auth/login", json=body), 401)
    ApiClient(app).login("user@example.com", NEW)


def test_the_current_password_is_needed(user):
    problem = assert_problem(change(user, current="wrong"), 403)
    assert problem["type"] == "urn:triptych:problem:wrong-password"
    assert user.get("/api/v1/auth/me").status_code == 200


def test_guessing_the_current_password_is_throttled(user):
    statuses = [change(user, current="wrong").status_code for _ in range(12)]
    assert statuses == [403] * 10 + [429] * 2


@pytest.mark.parametrize(("new", "message"), [("short", "Shorter"), (PASSWORD, "Must differ")])
def test_refused_new_passwords(user, new, message):
    problem = assert_problem(change(user, new=new), 422)
    assert message in problem["errors"]["json"]["new_password"][0]


def test_a_reset_password_is_good_for_its_change_alone(app, admin, user):
    user_id = user.tokens["user"]["id"]
    temporary = admin.post(f"/api/v1/users/{user_id}/password-reset").json["password"]
    assert len(temporary) >= 20
    assert_problem(user.get("/api/v1/auth/me"), 401)
    client = ApiClient(app).login("user@example.com", temporary)
    assert client.tokens["user"]["must_change_password"] is True
    assert client.get("/api/v1/auth/me").json["must_change_password"] is True
    problem = assert_problem(client.get("/api/v1/status"), 403)
    assert problem["type"] == "urn:triptych:problem:password-change-required"
    assert change(client, current=temporary).status_code == 204
    client = ApiClient(app).login("user@example.com", NEW)
    assert client.tokens["user"]["must_change_password"] is False
    assert client.get("/api/v1/status").status_code == 200


def test_a_forced_change_stops_api_keys_as_well(app, admin, user):
    key = user.post("/api/v1/api-keys", json={"name": "k", "role": "viewer"}).json["key"]
    machine = ApiClient(app)
    machine.tokens = {"access_token": key}
    assert machine.get("/api/v1/status").status_code == 200
    admin.patch(f"/api/v1/users/{user.tokens['user']['id']}", json={"must_change_password": True})
    assert_problem(machine.get("/api/v1/status"), 403)


def test_resetting_the_password_of_nobody(admin):
    assert_problem(admin.post("/api/v1/users/999999/password-reset"), 404)


def test_hashes_are_upgraded_at_login_and_sessions_stay(app, services, user, monkeypatch):
    monkeypatch.setattr(services.hasher, "_cost", 5)
    ApiClient(app).login("user@example.com", PASSWORD)
    sql = "SELECT password_hash FROM users WHERE email = 'user@example.com'"
    stored = services.database.read(lambda db: db.executesql(sql))[0][0]
    assert stored.startswith("$2b$05$")
    assert bcrypt.checkpw(passwords._digest(PASSWORD), stored.encode())
    assert user.get("/api/v1/auth/me").status_code == 200
    ApiClient(app).login("user@example.com", PASSWORD)
    assert services.database.read(lambda db: db.executesql(sql))[0][0] == stored


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    return make_settings(environment="production", password_hash_cost=12, db_type="sqlite")


@pytest.mark.parametrize(
    "password",
    [
        "elevenchars",
        "password1234",
        "Password1234!",
        "qwertyuiop123",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabc",
        "123456789012345",
        "administrator",
        "triptychtriptych",
        "jane.doe@corp.example",
        "JaneDoeJaneDoe",
    ],
)
def test_weak_passwords_outside_alpha(production, password):
    with pytest.raises(Problem) as caught:
        check_password(production, password, "jane.doe@corp.example", "Jane Doe")
    assert caught.value.code == 422


@pytest.mark.parametrize(
    "password",
    ["correct horse battery staple", "vK7#pQz!9wLm", "y" * 3 + "tangled umbrella " * 60, "пароль-из-многих-слов-и-2", "😀🚀🌵🍋🎻🧭🪐🦉🥝🧩🛶🪁"],
)  # fmt: skip
def test_good_passwords_need_no_composition(production, password):
    check_password(production, password, "jane.doe@corp.example", "Jane Doe")


def test_1024_characters_are_taken_whole(app, user):
    long = "tangled umbrella 7 " * 60
    assert change(user, new=long[:1024]).status_code == 204
    body = {"email": "user@example.com", "password": long[:1023]}
    assert_problem(ApiClient(app).post("/api/v1/auth/login", json=body), 401)
    ApiClient(app).login("user@example.com", long[:1024])
