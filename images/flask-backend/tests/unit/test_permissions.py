"""The role matrix, over every endpoint there is."""

from __future__ import annotations

import re

import pytest
from api_client import ApiClient, assert_problem

from backend.app import create_app
from backend.permissions import PERMISSIONS, PUBLIC, ROLES

SAMPLES = {
    "user_id": "999999",
    "job_id": "0" * 32,
    "webhook_id": "999999",
    "delivery_id": "0" * 32,
    "rule_id": "0" * 32,
}


def endpoints(app):
    """Every `(endpoint, method, path)` of the application."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            path = rule.rule
            for argument in rule.arguments:
                path = re.sub(rf"<[^<>]*:{argument}>", SAMPLES[argument], path)
            yield rule.endpoint, method, path


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
        if endpoint == "auth.logout":
            continue
        allowed = PERMISSIONS[endpoint] == PUBLIC or role in PERMISSIONS[endpoint]
        status = client.request(method, path).status_code
        assert (status != 403) == allowed, (endpoint, method, status)
        # What is not installed here answers 503.
        assert status < 500 or (endpoint, status) == ("ingest.tail", 503)


def test_documented_operations_are_the_served_ones(app, anonymous):
    document = anonymous.get("/api/v1/openapi.json").json
    served = {(method.lower(), path) for _, method, path in endpoints(app) if path.startswith("/api/v1/")}
    documented = {
        (method, path.format(**SAMPLES))
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
