"""The audit log: every change leaves an event, in the same transaction, and no event ever changes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from api_client import PASSWORD, ApiClient, assert_problem

from backend.audit import queries
from backend.audit import service as audit


def events(client: ApiClient, **filters) -> list[dict]:
    answer = client.get("/api/v1/audit", query_string=filters)
    assert answer.status_code == 200, answer.text
    return answer.json["events"]


def test_who_what_target_from_where_and_request(admin):
    headers = {"X-Request-ID": "request-12345"}
    origin = {"REMOTE_ADDR": "192.0.2.44"}
    body = {"email": "new@example.com", "full_name": "N", "role": "viewer", "password": PASSWORD}
    user = admin.post("/api/v1/users", json=body, headers=headers, environ_base=origin).json
    (event,) = events(admin, action="users.create", request_id="request-12345")
    moment = datetime.fromisoformat(event.pop("occurred_at"))
    assert abs(moment - datetime.now(UTC)) < timedelta(minutes=1)
    assert event.pop("id")
    assert event == {
        "tenant": "default",
        "actor_id": admin.tokens["user"]["id"],
        "actor": "admin@example.com",
        "credential": "session",
        "action": "users.create",
        "target_type": "user",
        "target_id": str(user["id"]),
        "address": "192.0.2.44",
        "request_id": "request-12345",
        "details": {"email": "new@example.com", "role": "viewer", "tenant": "default"},
    }


def test_every_change_of_accounts_and_sessions_leaves_an_event(app, admin):
    user = admin.create_user()
    changed = {"full_name": "Other", "role": "maintainer", "password": "another password"}
    admin.patch(f"/api/v1/users/{user['id']}", json=changed)
    admin.delete(f"/api/v1/users/{user['id']}")
    ApiClient(app).post("/api/v1/auth/login", json={"email": "nobody@example.com", "password": "x"})
    other = ApiClient(app).login("admin@example.com", "admin")
    other.post("/api/v1/auth/logout")
    found = [(event["action"], event["actor"]) for event in reversed(events(admin))]
    assert found == [
        ("users.create", "system"),
        ("auth.login", "admin@example.com"),
        ("users.create", "admin@example.com"),
        ("users.update", "admin@example.com"),
        ("users.delete", "admin@example.com"),
        ("auth.login_failed", "anonymous"),
        ("auth.login", "admin@example.com"),
        ("auth.logout", "admin@example.com"),
    ]
    details = events(admin, action="users.update")[0]["details"]
    assert details == {
        "full_name": ["A User", "Other"],
        "role": ["viewer", "maintainer"],
        "password": "changed",
    }


def test_no_event_holds_a_secret(services, admin):
    admin.create_user()
    rows = str(services.database.read(lambda db: db.executesql("SELECT * FROM audit_events")))
    assert PASSWORD not in rows
    assert "$2b$" not in rows
    assert admin.tokens["refresh_token"] not in rows


def test_a_change_that_fails_leaves_no_event(services, admin):
    def work(db) -> None:
        audit.record(db, "tests.fail", "user", 1)
        raise ValueError

    with pytest.raises(ValueError):
        services.database.write(work)
    assert events(admin, action="tests") == []
    admin.create_user()
    body = {"email": "user@example.com", "full_name": "B", "role": "viewer", "password": PASSWORD}
    assert_problem(admin.post("/api/v1/users", json=body), 409)
    assert len(events(admin, action="users.create", actor="admin@example.com")) == 1


def test_outside_a_request_the_system_acts(services, admin):
    services.database.write(lambda db: audit.record(db, "tests.job", "thing", 7, {"text": "é😀\n"}))
    (event,) = events(admin, action="tests.job")
    assert (event["actor"], event["actor_id"], event["address"]) == ("system", None, "")
    assert event["details"] == {"text": "é😀\n"}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"actor": "SYSTEM"}, 10),
        ({"actor": "nobody@example.com"}, 0),
        ({"action": "filter"}, 10),
        ({"action": "filter.odd"}, 5),
        ({"action": "filt"}, 0),
        ({"action": "filte_"}, 0),
        ({"target_type": "thing", "target_id": "3"}, 1),
        ({"target_id": "' OR 1=1 --"}, 0),
        ({"from": "2020-01-01T00:00:00Z"}, 10),
        ({"to": "2020-01-01T00:00:00Z"}, 0),
        ({"from": "2020-01-01T00:00:00+02:00", "to": "2999-01-01T00:00:00Z"}, 10),
    ],
    ids=str,
)
def test_filters(services, admin, filters, found):
    for number in range(10):
        action = "filter.odd" if number % 2 else "filter.even"
        services.database.write(lambda db: audit.record(db, action, "thing", number))  # noqa: B023
    kept = [event for event in events(admin, **filters) if event["target_type"] == "thing"]
    assert len(kept) == found


def test_time_bounds_split_the_log_without_loss(services, admin):
    for number in range(3):
        services.database.write(lambda db: audit.record(db, "before", "thing", number))  # noqa: B023
    middle = datetime.now(UTC) + timedelta(milliseconds=1)
    while datetime.now(UTC) <= middle + timedelta(milliseconds=1):
        pass
    services.database.write(lambda db: audit.record(db, "after"))
    text = middle.isoformat()
    assert {event["action"] for event in events(admin, **{"from": text})} == {"after"}
    assert "after" not in {event["action"] for event in events(admin, to=text)}


def test_pages_follow_one_another(services, admin):
    for number in range(7):
        services.database.write(lambda db: audit.record(db, "pages.one", "thing", number))  # noqa: B023
    seen, sizes, cursor = [], [], {}
    while cursor is not None:
        page = admin.get("/api/v1/audit", query_string={"action": "pages", "limit": 3} | cursor).json
        seen += [int(event["target_id"]) for event in page["events"]]
        sizes.append(len(page["events"]))
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
    assert seen == [6, 5, 4, 3, 2, 1, 0]
    assert sizes == [3, 3, 1]


def test_export_streams_every_event_oldest_first(services, admin, monkeypatch):
    monkeypatch.setattr(queries, "EXPORT_BATCH", 4)
    for number in range(10):
        services.database.write(lambda db: audit.record(db, "export.one", "thing", number, {"n": number}))  # noqa: B023
    answer = admin.get("/api/v1/audit/export?action=export")
    assert answer.mimetype == "application/x-ndjson"
    assert answer.is_streamed
    assert answer.headers["X-Total-Count"] == "10"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["details"]["n"] for line in lines] == list(range(10))
    assert lines[::-1] == events(admin, action="export")


def test_an_export_without_events_is_empty(admin):
    answer = admin.get("/api/v1/audit/export?action=nothing")
    assert (answer.status_code, answer.text) == (200, "")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "cursor=x",
        "cursor=' OR 1=1",
        "actor=",
        "actor_id=0",
        "actor=%00",
        "from=yesterday",
        "from=2026-01-01T00:00:00",
        "to=1960-01-01T00:00:00Z",
        "from=0001-01-01T00:00:00%2B14:00",
        "from=1970-01-01T00:00:00%2B14:00",
        "to=9999-12-31T23:59:59-14:00",
        "sort=actor",
        "request_id=" + "x" * 65,
    ],
)
def test_refused_queries(admin, query):
    assert_problem(admin.get(f"/api/v1/audit?{query}"), 422)


@pytest.mark.parametrize("query", ["from=1970-01-01T00:00:00Z", "to=9999-12-31T00:00:00Z"])
def test_the_widest_range_finds_everything(admin, query):
    assert admin.get(f"/api/v1/audit?{query}").json == admin.get("/api/v1/audit").json


def test_events_cannot_be_changed_through_the_api(admin):
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        assert_problem(admin.request(method, "/api/v1/audit", json={}), 405)


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events"])
def test_the_database_guards_events(services, admin, statement):
    before = events(admin)
    with pytest.raises(Exception, match="append-only"):
        services.database.write(lambda db: db.executesql(statement))
    assert events(admin) == before


def test_leave_to_delete_ends_with_its_block(services, admin):
    """Also on the same connection and in the same transaction, and after an error."""

    def within_and_after(db) -> None:
        with audit.deletes_allowed(db):
            db.executesql("DELETE FROM audit_events")
        audit.record(db, "left.over")
        db.executesql("DELETE FROM audit_events")

    def failing(db) -> None:
        with audit.deletes_allowed(db):
            raise LookupError

    before = events(admin)
    assert before
    with pytest.raises(Exception, match="append-only"):
        services.database.write(within_and_after)
    with pytest.raises(LookupError):
        services.database.write(failing)
    with pytest.raises(Exception, match="append-only"):
        services.database.write(lambda db: db.executesql("DELETE FROM audit_events"))
    assert events(admin) == before


def test_ids_are_in_the_order_of_time():
    ids = [audit.new_id() for _ in range(200)]
    assert len(set(ids)) == 200
    assert [identity[:18] for identity in ids] == sorted(identity[:18] for identity in ids)
    assert audit.first_id(datetime.now(UTC) - timedelta(seconds=1)) < ids[0]
    assert audit.first_id(datetime.now(UTC) + timedelta(seconds=1)) > ids[-1]
