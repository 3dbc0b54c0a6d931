"""Whatever comes in: the right 4xx problem document, never a 5xx, nothing written."""

from __future__ import annotations

import re

import pytest
from api_client import ACCOUNT_TABLES, PASSWORD, assert_problem, sample_path

GOOD = {"email": "user@example.com", "full_name": "A User", "role": "viewer", "password": PASSWORD}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"1",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"email": ' + b"9" * 10_000 + b"}",
        b'{"email": NaN}',
    ],
    ids=lambda body: repr(body[:12]),
)
def test_bodies_that_are_no_object(admin, body):
    answer = admin.post("/api/v1/users", data=body, content_type="application/json")
    assert_problem(answer, answer.status_code)
    assert answer.status_code in (400, 422)
    assert admin.get("/api/v1/users").json["pagination"]["total"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"email": "no address"},
        {"email": "a@b"},
        {"email": "😀@example.com"},
        {"email": "nul\x00@example.com"},
        {"email": "x" * 250 + "@example.com"},
        {"email": None},
        {"email": 7},
        {"email": ["user@example.com"]},
        {"full_name": ""},
        {"full_name": "x" * 201},
        {"full_name": "a\x00b"},
        {"full_name": "line\nbreak"},
        {"full_name": "\ud800"},
        {"full_name": " \u00a0\u3000"},
        {"full_name": "\u3164\u2800"},
        {"full_name": "\u0301"},
        {"full_name": "gpj.\u202eexe"},
        {"full_name": "a\u2067b"},
        {"full_name": "a\u200eb"},
        {"full_name": "a\u200bb"},
        {"full_name": "\ufeffAdmin"},
        {"full_name": "line\u2028break"},
        {"email": "us\u200ber@example.com"},
        {"email": "user@exam\u200bple.com"},
        {"role": "root"},
        {"role": None},
        {"tenant": ""},
        {"tenant": None},
        {"tenant": "Upper"},
        {"tenant": "acme\n"},
        {"tenant": "-acme"},
        {"tenant": " "},
        {"tenant": "ac\u202eme"},
        {"tenant": "x" * 41},
        {"tenant": "ａｃｍｅ"},
        {"password": ""},
        {"password": "short"},
        {"password": "x" * 1025},
        {"password": "a\x00b is long enough"},
        {"is_active": "yes"},
        {"is_active": 1},
        {"is_active": None},
        {"is_admin": True},
        {"id": 1},
        {"created_at": "2020-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_refused_fields(admin, change):
    problem = assert_problem(admin.post("/api/v1/users", json=GOOD | change), 422)
    assert next(iter(change)) in problem["errors"]["json"]
    user = admin.create_user(email="victim@example.com")
    assert_problem(admin.patch(f"/api/v1/users/{user['id']}", json=change), 422)
    assert admin.get(f"/api/v1/users/{user['id']}").json == user


@pytest.mark.parametrize("missing", list(GOOD))
def test_missing_fields(admin, missing):
    body = {key: value for key, value in GOOD.items() if key != missing}
    assert missing in assert_problem(admin.post("/api/v1/users", json=body), 422)["errors"]["json"]


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=x",
        "page=1.5",
        "page=99999999999999999999",
        "page=" + "9" * 5000,
        "per_page=0",
        "per_page=101",
        "sort=password_hash",
        "sort=email;drop table users",
        "sort=",
        "search=%00",
        "tenant=Upper",
        "tenant=acme%0A",
        "search=" + "x" * 201,
        "serach=typo",
    ],
    ids=lambda query: query[:30],
)
def test_refused_queries(admin, query):
    assert_problem(admin.get(f"/api/v1/users?{query}"), 422)


def test_invalid_utf8_in_the_query_is_no_server_error(admin):
    assert admin.get("/api/v1/users?search=%ff%fe").status_code in (200, 422)


@pytest.mark.parametrize("character", ["%00", "%0A", "%ED%A0%80", "%E2%80%AE", "%27"])
def test_no_path_is_a_server_error(admin, character):
    """Ids of 32 characters, none of which an id has, at every operation."""
    document = admin.get("/api/v1/openapi.json").json
    paths = [path for path in document["paths"] if "{" in path]
    assert len(paths) > 10
    for path in paths:
        for method in document["paths"][path].keys() & {"get", "post", "patch", "delete"}:
            odd = re.sub(r"\{\w+\}", character * 32, path)
            answer = admin.request(method.upper(), odd, json={"comment": "x"} if method == "patch" else None)
            assert_problem(answer, 404)


def test_a_body_that_is_too_large(admin):
    assert_problem(admin.post("/api/v1/users", data=b"x" * 10_000_000, content_type="application/json"), 413)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_bodies_of_another_type(admin, content_type):
    assert_problem(admin.post("/api/v1/users", data=b"email=x", content_type=content_type), 415)


def operations_with_a_body(client) -> list[tuple[str, str]]:
    """Method and path of every documented operation that takes JSON; ids are of nothing there is."""
    document = client.get("/api/v1/openapi.json").json
    return [
        (method.upper(), sample_path(path))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if isinstance(operation, dict) and "requestBody" in operation and not path.endswith(ENDING)
    ]


# They take no body to speak of, and end the session that asks.
ENDING = ("/auth/logout",)


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (b"{", {400}),
        (b"[]", {422}),
        (b"null", {400, 422}),
        (b"\xff\xfe", {400}),
        (b"[" * 100_000, {400}),
        (b'{"nothing of the kind": 1}', {422}),
        (b'{"email": "a\\u0000b", "name": "a\\u0000b", "code": "\\u0000"}', {422}),
        (b"x" * 10_000_000, {413}),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else "",
)
def test_bad_bodies_at_every_operation(services, admin, body, statuses):
    before = written(services)
    found = operations_with_a_body(admin)
    assert len(found) > 15
    for method, path in found:
        answer = admin.request(method, path, data=body, content_type="application/json")
        assert answer.status_code in statuses, (method, path, answer.status_code, answer.text[:300])
        assert_problem(answer, answer.status_code)
    assert written(services) == before


def written(services) -> list:
    """Rows of every table that the accounts API writes."""
    tables = ("audit_events", *ACCOUNT_TABLES)
    return services.database.read(lambda db: [db.executesql(f"SELECT COUNT(*) FROM {name}")[0][0] for name in tables])


def test_unknown_paths_and_methods(anonymous):
    assert_problem(anonymous.get("/api/v1/nothing"), 404)
    assert_problem(anonymous.get("/api/v1/users/"), 404)
    answer = anonymous.request("PUT", "/api/v1/auth/login")
    assert_problem(answer, 405)
    assert "POST" in answer.headers["Allow"]


def test_a_fault_of_the_program_is_a_problem_document_without_details(app, monkeypatch, admin):
    monkeypatch.setattr("backend.users.service.get_user", lambda *_: 1 / 0)
    problem = assert_problem(admin.get("/api/v1/users/1"), 500)
    assert "ZeroDivision" not in str(problem)


@pytest.mark.parametrize("given", ["", "short", "has spaces in it", "x" * 65, "new\tline-12345", "<script>alert(1)"])
def test_odd_request_ids_are_replaced(anonymous, given):
    answer = anonymous.get("/healthz", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] != given
    assert len(answer.headers["X-Request-ID"]) == 32


def test_sane_request_ids_are_kept(anonymous):
    answer = anonymous.get("/healthz", headers={"X-Request-ID": "trace-12345678"})
    assert answer.headers["X-Request-ID"] == "trace-12345678"
