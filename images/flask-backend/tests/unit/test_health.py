"""Liveness and readiness."""

from __future__ import annotations

from api_client import ApiClient, assert_problem, make_settings

from backend.app import create_app
from backend.database.migrate import migrate
from backend.health import service


def test_ready(anonymous):
    assert anonymous.get("/healthz").json == {"status": "ok"}
    answer = anonymous.get("/readyz")
    assert answer.status_code == 200
    assert {name: check["status"] for name, check in answer.json["checks"].items()} == {
        "database": "ok",
        "schema": "ok",
        "redis": "disabled",
    }


def test_an_empty_database_is_not_ready_until_it_is_migrated(tmp_path):
    settings = make_settings(db_type="sqlite", db_sqlite_path=tmp_path / "new.db")
    client = ApiClient(create_app(settings))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "run: backend migrate" in answer.json["checks"]["schema"]["detail"]
    assert_problem(client.post("/api/v1/auth/login", json={"email": "a@b.example", "password": "x"}), 503)
    migrate(settings, timeout=5, progress=lambda line: None)
    assert client.get("/readyz").status_code == 200


def test_an_older_schema_is_not_ready(anonymous, monkeypatch):
    monkeypatch.setattr(service, "required_version", lambda: 99)
    answer = anonymous.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["checks"]["schema"]["status"] == "unavailable"
    assert answer.json["checks"]["database"]["status"] == "ok"


def test_database_away(settings):
    away = make_settings(db_type="postgresql", db_host="127.0.0.1", db_port=1, db_password="x")
    client = ApiClient(create_app(away))
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["status"] == "unavailable"
    problem = assert_problem(client.post("/api/v1/auth/login", json={"email": "a@b.example", "password": "x"}), 503)
    assert problem["type"] == "urn:triptych:problem:database-unavailable"
