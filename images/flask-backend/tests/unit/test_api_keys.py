"""API keys: scoped, expiring, recognisable, revocable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from api_client import PASSWORD, ApiClient, assert_problem

from backend.api_keys import service
from backend.database.session import now


def create(client: ApiClient, **fields) -> dict:
    answer = client.post("/api/v1/api-keys", json={"name": "machine", "role": "viewer"} | fields)
    assert answer.status_code == 201, answer.text
    return answer.json


def machine(app, key: str) -> ApiClient:
    client = ApiClient(app)
    client.tokens = {"access_token": key}
    return client


def keys(client: ApiClient, query: str = "") -> list[dict]:
    return client.get(f"/api/v1/api-keys{query}").json["api_keys"]


def test_a_key_acts_for_its_owner_within_its_role(app, admin):
    made = create(admin, role="maintainer")
    client = machine(app, made["key"])
    assert client.get("/api/v1/status").status_code == 200
    assert client.get("/api/v1/auth/me").json["email"] == "admin@example.com"
    assert_problem(client.get("/api/v1/users"), 403)
    assert machine(app, create(admin, role="admin")["key"]).get("/api/v1/users").status_code == 200


def test_a_key_is_shown_once_and_recognised_by_its_prefix(services, admin):
    made = create(admin, name="Ünïcode 😀", expires_in_days=1)
    (listed,) = keys(admin)
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert made["key"].startswith(made["prefix"] + "_")
    assert datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC) < timedelta(days=1)
    stored = str(services.database.read(lambda db: db.executesql("SELECT * FROM api_keys")))
    assert made["key"] not in stored
    assert made["key"].removeprefix(made["prefix"] + "_") not in stored


def test_a_revoked_key_is_refused_at_once(app, admin):
    made = create(admin)
    client = machine(app, made["key"])
    assert client.get("/api/v1/status").status_code == 200
    assert admin.delete(f"/api/v1/api-keys/{made['id']}").status_code == 204
    assert_problem(client.get("/api/v1/status"), 401)
    assert keys(admin) == []
    assert_problem(admin.delete(f"/api/v1/api-keys/{made['id']}"), 404)


def test_an_expired_key_is_refused(app, services, admin):
    made = create(admin)
    services.database.write(lambda db: db(db.api_keys.id == made["id"]).update(expires_at=now() - timedelta(seconds=1)))
    assert_problem(machine(app, made["key"]).get("/api/v1/status"), 401)


def test_last_use_is_noted_once_a_minute(app, services, admin):
    made = create(admin)
    client = machine(app, made["key"])
    assert keys(admin)[0]["last_used_at"] is None
    client.get("/api/v1/status")
    first = keys(admin)[0]["last_used_at"]
    assert datetime.now(UTC) - datetime.fromisoformat(first) < timedelta(seconds=30)
    recent = now() - timedelta(seconds=50)
    services.database.write(lambda db: db(db.api_keys.id == made["id"]).update(last_used_at=recent))
    client.get("/api/v1/status")
    assert keys(admin)[0]["last_used_at"] == recent.isoformat() + "Z"
    old = now() - timedelta(seconds=70)
    services.database.write(lambda db: db(db.api_keys.id == made["id"]).update(last_used_at=old))
    client.get("/api/v1/status")
    assert keys(admin)[0]["last_used_at"] != old.isoformat() + "Z"


@pytest.mark.parametrize(("own", "wanted"), [("viewer", "maintainer"), ("viewer", "admin"), ("maintainer", "admin")])
def test_no_key_above_the_own_role(as_role, own, wanted):
    client = as_role(own)
    assert_problem(client.post("/api/v1/api-keys", json={"name": "x", "role": wanted}), 403)
    assert keys(client) == []


def test_a_key_loses_what_its_owner_loses(app, admin, as_role):
    owner = as_role("maintainer")
    client = machine(app, create(owner, role="maintainer")["key"])
    path = f"/api/v1/users/{owner.tokens['user']['id']}"
    admin.patch(path, json={"role": "viewer"})
    assert client.get("/api/v1/status").status_code == 200
    with app.test_request_context(headers={"Authorization": f"Bearer {client.tokens['access_token']}"}):
        principal = service.authenticate(app.extensions["backend"], client.tokens["access_token"])
    assert principal.role == "viewer"
    admin.patch(path, json={"is_active": False})
    assert_problem(client.get("/api/v1/status"), 401)
    admin.patch(path, json={"is_active": True})
    assert client.get("/api/v1/status").status_code == 200
    admin.delete(path)
    assert_problem(client.get("/api/v1/status"), 401)


def test_others_keys_are_the_business_of_admins(app, admin, as_role):
    owner, stranger = as_role("maintainer"), as_role("viewer")
    made = create(owner)
    assert_problem(stranger.get(f"/api/v1/api-keys?user_id={made['user_id']}"), 403)
    assert_problem(stranger.delete(f"/api/v1/api-keys/{made['id']}"), 404)
    assert [key["id"] for key in keys(admin, f"?user_id={made['user_id']}")] == [made["id"]]
    assert keys(admin) == []
    assert admin.delete(f"/api/v1/api-keys/{made['id']}").status_code == 204


def test_a_key_makes_no_key_and_no_login(app, admin):
    client = machine(app, create(admin, role="admin")["key"])
    problem = assert_problem(client.post("/api/v1/api-keys", json={"name": "x", "role": "viewer"}), 403)
    assert problem["type"] == "urn:triptych:problem:session-required"
    change = {"current_password": "admin", "new_password": PASSWORD}
    assert_problem(client.post("/api/v1/auth/password", json=change), 403)
    assert_problem(client.post("/api/v1/auth/totp", json={"password": "admin"}), 403)


def test_a_key_is_neither_refresh_nor_challenge_token(app, admin, anonymous):
    key = create(admin)["key"]
    assert_problem(anonymous.post("/api/v1/auth/refresh", json={"refresh_token": key}), 401)
    body = {"challenge_token": key, "code": "123456"}
    assert_problem(anonymous.post("/api/v1/auth/login/second-factor", json=body), 401)


def test_changed_keys_are_refused(app, admin):
    key = create(admin)["key"]
    other = create(admin)["key"]
    mixed = "_".join([*key.split("_")[:2], *other.split("_")[2:]])
    for bad in (key[:-1], key + "x", key.swapcase(), mixed, "trp_", "trp_' OR '1'='1", "trp_\xff"):
        assert_problem(machine(app, bad).get("/api/v1/status"), 401)
    assert machine(app, other).get("/api/v1/status").status_code == 200


def test_the_audit_log_tells_keys_from_people(app, admin):
    made = create(admin, role="admin")
    machine(app, made["key"]).create_user()
    event = admin.get("/api/v1/audit?action=users.create").json["events"][0]
    assert event["credential"] == f"api-key:{made['prefix']}"
    assert event["actor"] == "admin@example.com"
    created = admin.get("/api/v1/audit?action=api_keys.create").json["events"][0]
    assert created["details"]["prefix"] == made["prefix"]
    assert made["key"] not in str(created)


def test_a_bounded_number_of_keys(admin, monkeypatch):
    monkeypatch.setattr(service, "MAX_KEYS", 2)
    create(admin)
    create(admin)
    answer = admin.post("/api/v1/api-keys", json={"name": "x", "role": "viewer"})
    assert assert_problem(answer, 409)["type"] == "urn:triptych:problem:too-many-keys"


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\x00b"},
        {"name": "   "},
        {"name": "a\u202eb"},
        {"name": None},
        {"role": "root"},
        {"expires_in_days": 0},
        {"expires_in_days": 366},
        {"expires_in_days": "7"},
        {"expires_in_days": 1.5},
        {"expires_in_days": True},
        {"key": "trp_mine"},
        {"user_id": 1},
    ],
    ids=str,
)
def test_refused_fields(admin, change):
    problem = assert_problem(admin.post("/api/v1/api-keys", json={"name": "k", "role": "viewer"} | change), 422)
    assert next(iter(change)) in problem["errors"]["json"]
    assert keys(admin) == []
