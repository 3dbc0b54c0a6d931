"""User accounts through the API."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from api_client import PASSWORD, ApiClient, assert_problem

FIELDS = {
    "id",
    "email",
    "full_name",
    "role",
    "is_active",
    "must_change_password",
    "tenant",
    "totp_enabled",
    "created_at",
    "updated_at",
}


def test_create_read_change_delete(admin):
    user = admin.create_user(full_name="Zoë O'Hara \\ 100% 😀")
    assert set(user) == FIELDS
    assert admin.get(f"/api/v1/users/{user['id']}").json == user
    changed = admin.patch(f"/api/v1/users/{user['id']}", json={"full_name": "Zoë", "role": "maintainer"}).json
    assert changed | {"updated_at": 0} == user | {"full_name": "Zoë", "role": "maintainer", "updated_at": 0}
    answer = admin.delete(f"/api/v1/users/{user['id']}")
    assert answer.status_code == 204
    assert answer.data == b""
    assert_problem(admin.get(f"/api/v1/users/{user['id']}"), 404)


@pytest.mark.parametrize(
    "text",
    [
        "back\\slash",
        "quote ' \" ; --",
        "percent %s %(x)s {y}",
        "ｆｕｌｌ",
        "𝔘𝔫𝔦",
        "a" * 200,
        "علی\u200cرضا",
        "👩\u200d💻",
        " ｘ ",
    ],
)
def test_text_survives_every_engine(admin, text):
    user = admin.create_user(full_name=text)
    assert admin.get(f"/api/v1/users/{user['id']}").json["full_name"] == text


def test_a_password_may_hold_what_a_name_may_not(app, admin):
    password = "  \u202e blanks and marks \u200b "
    admin.create_user(email="blanks@example.com", password=password)
    assert ApiClient(app).login("blanks@example.com", password).tokens


def test_a_new_user_can_log_in(app, admin):
    admin.create_user(email="Someone@Example.com")
    ApiClient(app).login("someone@example.com", PASSWORD)


def test_passwords_are_never_answered(admin):
    user = admin.create_user()
    text = admin.get("/api/v1/users").text + str(user)
    assert PASSWORD not in text
    assert "password_hash" not in text
    assert "$2b$" not in text


@pytest.mark.parametrize("email", ["user@example.com", "USER@example.com", "User@Example.COM"])
def test_duplicate_email(admin, email):
    admin.create_user(email="user@example.com")
    body = {"email": email, "full_name": "B", "role": "viewer", "password": PASSWORD}
    problem = assert_problem(admin.post("/api/v1/users", json=body), 409)
    assert problem["type"] == "urn:triptych:problem:email-taken"
    assert admin.get("/api/v1/users").json["pagination"]["total"] == 2


def test_accents_make_another_address(admin):
    admin.create_user(full_name="é", email="e@example.com")
    admin.create_user(full_name="e", email="e2@example.com")
    assert admin.get("/api/v1/users?search=é").json["pagination"]["total"] == 1


def test_change_to_a_taken_email(admin):
    admin.create_user(email="one@example.com")
    other = admin.create_user(email="two@example.com")
    assert_problem(admin.patch(f"/api/v1/users/{other['id']}", json={"email": "ONE@example.com"}), 409)


def test_ten_thousand_users_come_in_pages(admin, services):
    columns = "email, full_name, role, is_active, password_hash, version, must_change_password, created_at, updated_at"
    rest = "'viewer', 1, '', 1, 0, '2026-01-01 00:00:00', '2026-01-01 00:00:00'"
    rows = ", ".join(f"('p{number:05}@example.com', 'P {number}', {rest})" for number in range(9_999))
    services.database.write(lambda db: db.executesql(f"INSERT INTO users ({columns}) VALUES {rows}"))
    page = admin.get("/api/v1/users?page=100&per_page=100&sort=-email").json
    assert page["pagination"] == {"page": 100, "per_page": 100, "total": 10_000, "pages": 100}
    assert [user["email"] for user in page["users"][-2:]] == ["p00000@example.com", "admin@example.com"]
    assert [user["full_name"] for user in admin.get("/api/v1/users?search=p04711").json["users"]] == ["P 4711"]


def test_pages(admin):
    for number in range(5):
        admin.create_user(email=f"user{number}@example.com", full_name=f"Person {number}")
    page = admin.get("/api/v1/users?page=2&per_page=2&sort=-email").json
    assert page["pagination"] == {"page": 2, "per_page": 2, "total": 6, "pages": 3}
    assert [user["email"] for user in page["users"]] == ["user2@example.com", "user1@example.com"]
    beyond = admin.get("/api/v1/users?page=99").json
    assert beyond["users"] == []
    assert beyond["pagination"]["total"] == 6


@pytest.mark.parametrize("key", ["id", "email", "full_name", "role", "tenant", "is_active", "created_at", "updated_at"])
def test_sort_by_every_key_both_ways(admin, key):
    for number in range(3):
        role, tenant = [("admin", "b"), ("maintainer", "c"), ("viewer", "a")][number]
        admin.create_user(email=f"user{number}@example.com", role=role, tenant=tenant)
    up = [user[key] for user in admin.get(f"/api/v1/users?sort={key}").json["users"]]
    down = [user[key] for user in admin.get(f"/api/v1/users?sort=-{key}").json["users"]]
    assert up == sorted(up)
    assert down == sorted(down, reverse=True)


@pytest.mark.parametrize(
    ("search", "found"), [("PERSON", 2), ("%", 0), ("_", 0), ("100!", 1), ("two@", 1), ("' OR 1=1 --", 0)]
)
def test_search_takes_text_literally(admin, search, found):
    admin.create_user(email="one@example.com", full_name="Person 100!")
    admin.create_user(email="two@example.com", full_name="person")
    answer = admin.get("/api/v1/users", query_string={"search": search}).json
    assert answer["pagination"]["total"] == found


def test_own_account_cannot_be_deleted(admin):
    admin.create_user(role="admin")
    problem = assert_problem(admin.delete(f"/api/v1/users/{admin.tokens['user']['id']}"), 409)
    assert problem["type"] == "urn:triptych:problem:own-account"


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"is_active": False}])
def test_last_active_admin_stays(admin, change):
    admin.create_user(role="admin", is_active=False)
    own = f"/api/v1/users/{admin.tokens['user']['id']}"
    assert assert_problem(admin.patch(own, json=change), 409)["type"] == "urn:triptych:problem:last-admin"
    assert admin.get(own).json["role"] == "admin"
    assert admin.get(own).json["is_active"] is True


def test_two_admins_cannot_demote_each_other_at_once(app, admin):
    for _ in range(5):
        other = admin.create_user(email="second@example.com", role="admin")
        second = ApiClient(app).login("second@example.com", PASSWORD)
        own = admin.tokens["user"]["id"]
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(admin.patch, f"/api/v1/users/{other['id']}", json={"role": "viewer"})
            last = pool.submit(second.patch, f"/api/v1/users/{own}", json={"role": "viewer"})
        statuses = sorted([first.result().status_code, last.result().status_code])
        assert statuses in ([200, 401], [200, 403], [200, 409])
        if first.result().status_code != 200:
            admin = ApiClient(app).login("admin@example.com", "admin")
            second.patch(f"/api/v1/users/{own}", json={"role": "admin"})
            admin = ApiClient(app).login("admin@example.com", "admin")
        assert admin.delete(f"/api/v1/users/{other['id']}").status_code == 204


def test_missing_user(admin):
    for method in ("GET", "DELETE"):
        assert_problem(admin.request(method, "/api/v1/users/999999"), 404)
    assert_problem(admin.patch("/api/v1/users/999999", json={"full_name": "x"}), 404)
    assert_problem(admin.get("/api/v1/users/99999999999999999999"), 404)
    assert_problem(admin.get("/api/v1/users/abc"), 404)


def test_empty_change_changes_nothing(admin):
    user = admin.create_user()
    assert admin.patch(f"/api/v1/users/{user['id']}", json={}).json == user


def test_a_tenant_is_given_changed_found_and_seen_in_the_audit_log(app, admin):
    user = admin.create_user(tenant="acme", role="admin")
    assert user["tenant"] == "acme"
    assert [found["id"] for found in admin.get("/api/v1/users?tenant=acme").json["users"]] == [user["id"]]
    own = ApiClient(app).login(user["email"], PASSWORD)
    changed = own.patch(f"/api/v1/users/{user['id']}", json={"tenant": "other"}).json
    assert changed["tenant"] == "other"
    assert own.get("/api/v1/auth/me").status_code == 200, "no reason to end the session"
    assert admin.get("/api/v1/users?tenant=acme").json["users"] == []
    (event,) = admin.get("/api/v1/audit?tenant=acme&action=users.update").json["events"]
    assert event["details"] == {"tenant": ["acme", "other"]}
    assert admin.get("/api/v1/audit?action=users.create").json["events"][0]["details"]["tenant"] == "acme"
    own.create_user(email="third@example.com")
    assert admin.get("/api/v1/audit?tenant=other&action=users.create").json["events"]


def test_filters_combine(admin):
    for number, role in enumerate(["viewer", "viewer", "maintainer", "admin"]):
        admin.create_user(email=f"user{number}@example.com", full_name=f"P {number}", role=role, is_active=number != 1)

    def found(**query) -> list[str]:
        users = admin.get("/api/v1/users", query_string={"sort": "id", **query}).json["users"]
        return [user["email"].partition("@")[0] for user in users]

    assert found(role="viewer") == ["user0", "user1"]
    assert found(role="viewer", is_active="true") == ["user0"]
    assert found(is_active="false") == ["user1"]
    assert found(role="admin", search="p 3") == ["user3"]
    assert found(role="maintainer", is_active="false") == []


def test_a_version_makes_a_lost_race_visible(admin):
    user = admin.create_user()
    path = f"/api/v1/users/{user['id']}"
    first = admin.get(path).headers["ETag"]
    changed = admin.patch(path, json={"full_name": "One"}, headers={"If-Match": first})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first
    problem = assert_problem(admin.patch(path, json={"full_name": "Two"}, headers={"If-Match": first}), 412)
    assert problem["type"] == "urn:triptych:problem:lost-race"
    assert_problem(admin.delete(path, headers={"If-Match": first}), 412)
    assert admin.get(path).json["full_name"] == "One"
    assert admin.delete(path, headers={"If-Match": changed.headers["ETag"]}).status_code == 204


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("{tag}", 200),
        ('"other", {tag}', 200),
        ("*", 200),
        ("W/{tag}", 412),
        ('"other"', 412),
        ('"', 412),
        ("", 412),
        ("'; drop table users", 412),
    ],
)
def test_if_match(admin, header, status):
    created = admin.post(
        "/api/v1/users", json={"email": "u@example.com", "full_name": "U", "role": "viewer", "password": PASSWORD}
    )
    path = f"/api/v1/users/{created.json['id']}"
    wanted = header.format(tag=created.headers["ETag"])
    assert admin.patch(path, json={"full_name": "New"}, headers={"If-Match": wanted}).status_code == status
    assert admin.get(path).json["full_name"] == ("New" if status == 200 else "U")


def test_of_two_racing_changes_one_is_lost(app, admin):
    user = admin.create_user()
    path = f"/api/v1/users/{user['id']}"
    headers = {"If-Match": admin.get(path).headers["ETag"]}
    with ThreadPoolExecutor(4) as pool:
        changes = [pool.submit(admin.patch, path, json={"full_name": f"N{n}"}, headers=headers) for n in range(4)]
    statuses = sorted(change.result().status_code for change in changes)
    assert statuses == [200, 412, 412, 412]


def test_an_unchanged_user_is_not_sent_again(admin):
    user = admin.create_user()
    path = f"/api/v1/users/{user['id']}"
    tag = admin.get(path).headers["ETag"]
    answer = admin.get(path, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.data) == (304, b"")
    admin.patch(path, json={"full_name": "New"})
    assert admin.get(path, headers={"If-None-Match": tag}).status_code == 200
