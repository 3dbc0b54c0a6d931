"""The role matrix, over every endpoint there is."""

from __future__ import annotations

import pytest
from api_client import PASSWORD, ApiClient, assert_problem, sample_path

from backend.app import create_app
from backend.permissions import BEFORE_PASSWORD_CHANGE, PERMISSIONS, PUBLIC, ROLES, SESSION_ONLY

# They end the session that the matrix is asked with; `test_sessions` covers them.
ENDING = {"auth.logout", "auth.logout_all"}


def assert_no_fault(endpoint: str, status: int) -> None:
    """No 5xx, but that what is not installed here answers 503."""
    assert status < 500 or (status == 503 and endpoint in ("ingest.tail", "guard.watch_drops"))


def endpoints(app):
    """Every `(endpoint, method, path)` of the application."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield rule.endpoint, method, sample_path(rule.rule)


def test_every_endpoint_has_a_row_and_every_row_an_endpoint(app):
    assert {endpoint for endpoint, _, _ in endpoints(app)} == set(PERMISSIONS)


def test_an_endpoint_without_a_row_answers_nobody(settings):
    app = create_app(settings)
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    assert_problem(ApiClient(app).get("/forgotten"), 401)
    signed_in = ApiClient(app).login("admin@example.com", "admin")
    assert_problem(signed_in.get("/forgotten"), 403)


def test_without_a_token_only_public_endpoints_answer(app, anonymous):
    for endpoint, method, path in endpoints(app):
        status = anonymous.request(method, path).status_code
        assert (status == 401) == (PERMISSIONS[endpoint] != PUBLIC), (endpoint, method, status)


@pytest.mark.parametrize("role", ROLES)
def test_roles(app, as_role, role):
    client = as_role(role)
    for endpoint, method, path in endpoints(app):
        if endpoint in ENDING:
            continue
        allowed = PERMISSIONS[endpoint] == PUBLIC or role in PERMISSIONS[endpoint]
        status = client.request(method, path).status_code
        assert (status != 403) == allowed, (endpoint, method, status)
        assert_no_fault(endpoint, status)


@pytest.mark.parametrize("role", ROLES)
def test_api_keys(app, as_role, role):
    client = ApiClient(app)
    body = {"name": "matrix", "role": role}
    client.tokens = {"access_token": as_role(role).post("/api/v1/api-keys", json=body).json["key"]}
    for endpoint, method, path in endpoints(app):
        allowed = PERMISSIONS[endpoint] == PUBLIC or (role in PERMISSIONS[endpoint] and endpoint not in SESSION_ONLY)
        status = client.request(method, path).status_code
        assert (status != 403) == allowed, (endpoint, method, status)
        assert_no_fault(endpoint, status)


@pytest.mark.parametrize("role", ROLES)
def test_before_a_forced_password_change(app, admin, role):
    admin.create_user(role=role, must_change_password=True)
    client = ApiClient(app).login("user@example.com", PASSWORD)
    for endpoint, method, path in endpoints(app):
        if endpoint in ENDING:
            continue
        answer = client.request(method, path)
        allowed = PERMISSIONS[endpoint] == PUBLIC or endpoint in BEFORE_PASSWORD_CHANGE
        assert (answer.status_code != 403) == allowed, (endpoint, method, answer.status_code)
        if not allowed:
            assert answer.get_json(force=True)["type"] == "urn:triptych:problem:password-change-required"


def test_exceptions_name_endpoints():
    assert set(PERMISSIONS) >= SESSION_ONLY | BEFORE_PASSWORD_CHANGE


def test_documented_operations_are_the_served_ones(app, anonymous):
    document = anonymous.get("/api/v1/openapi.json").json
    served = {(method.lower(), path) for _, method, path in endpoints(app) if path.startswith("/api/v1/")}
    documented = {
        (method, sample_path(path))
        for path, operations in document["paths"].items()
        for method in operations
        if method in {"get", "post", "patch", "put", "delete"}
    }
    assert documented == served - {("get", "/api/v1/openapi.json")}


def test_errors_are_documented_as_problem_documents(anonymous):
    document = anonymous.get("/api/v1/openapi.json").json
    for response in document["components"]["responses"].values():
        assert list(response["content"]) == ["application/problem+json"]


def test_the_permission_document_is_what_the_gate_enforces(app, as_role):
    document = as_role("viewer").get("/api/v1/permissions").json
    assert document["roles"] == list(ROLES)
    told = {(row["name"], row["method"]): set(row["roles"]) for row in document["operations"]}
    enforced = {
        (endpoint, method): set(ROLES) if PERMISSIONS[endpoint] == PUBLIC else set(PERMISSIONS[endpoint])
        for endpoint, method, path in endpoints(app)
        if path.startswith("/api/v1/")
    }
    assert told == enforced
    assert all(row["summary"] or row["name"] == "api-docs.openapi_json" for row in document["operations"])


def test_the_permission_document_writes_paths_as_the_openapi_document(admin):
    documented = set(admin.get("/api/v1/openapi.json").json["paths"]) | {"/api/v1/openapi.json"}
    told = {row["path"] for row in admin.get("/api/v1/permissions").json["operations"]}
    assert told == documented
