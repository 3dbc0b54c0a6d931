"""Headers, cross-origin rules and gauges."""

from __future__ import annotations

from datetime import timedelta

import pytest
from api_client import ApiClient, make_settings
from pydantic import ValidationError

from backend.app import create_app
from backend.database.session import now
from backend.jobs import store
from backend.jobs.loops import measure_backlog

PAGE = "https://app.example.com"


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/users", "/nothing"])
def test_every_answer_has_security_headers(anonymous, path):
    headers = anonymous.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert "Server" not in headers or "Python" not in headers["Server"]


def test_cors_is_off_by_default(anonymous):
    answer = anonymous.request("OPTIONS", "/api/v1/users", headers=preflight(PAGE))
    assert not [name for name, _value in answer.headers if name.startswith("Access-Control")]


def test_cors_for_named_origins_only(app, settings):
    client = ApiClient(
        create_app(make_settings(**settings.model_dump() | {"cors_allowed_origins": f"{PAGE}, http://x:1"}))
    )
    answer = client.request("OPTIONS", "/api/v1/users", headers=preflight(PAGE))
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert "If-Match" in answer.headers["Access-Control-Allow-Headers"]
    refused = client.get("/api/v1/users", headers={"Origin": PAGE})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Origin" in refused.headers["Vary"]
    for other in ("https://evil.example.com", "null", f"{PAGE}.evil.com", ""):
        answer = client.request("OPTIONS", "/api/v1/users", headers=preflight(other))
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Access-Control-Allow-Credentials" not in refused.headers


@pytest.mark.parametrize("value", ["*", "app.example.com", "https://app.example.com/", "https://a b"])
def test_bad_origins(settings, value):
    with pytest.raises(ValidationError, match="CORS_ALLOWED_ORIGINS"):
        make_settings(**settings.model_dump() | {"cors_allowed_origins": value})


def preflight(origin: str) -> dict:
    return {"Origin": origin, "Access-Control-Request-Method": "PATCH"}


def test_gauges_of_what_waits(services):
    services.database.write(lambda db: store.insert(db, "cleanup.jobs", {}))
    measure_backlog(services)
    sample = services.metrics.registry.get_sample_value
    assert sample("background_waiting", {"what": "jobs", "state": "queued"}) == 1
    assert sample("background_waiting", {"what": "webhooks", "state": "dead"}) == 0
    assert sample("background_waiting", {"what": "events", "state": "undispatched"}) > 0
    for what in ("jobs", "webhooks", "events"):
        assert sample("background_oldest_seconds", {"what": what}) < 60
    services.database.write(lambda db: db(db.jobs.id != "").update(queued_at=now() - timedelta(minutes=5)))
    measure_backlog(services)
    assert 299 <= sample("background_oldest_seconds", {"what": "jobs"}) < 360
