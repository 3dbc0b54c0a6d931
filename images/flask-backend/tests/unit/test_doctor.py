"""`backend doctor` on a healthy backend and on ones with one thing wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from api_client import make_settings
from click.testing import CliRunner
from unit.test_transfer import environment

from backend.cli import cli
from backend.database.migrate import migrate
from backend.database.migrations import required_version
from backend.database.pool import Pool
from backend.database.session import fetch
from backend.doctor import OK, WARNING, WRONG, database, examine


def states(settings, state: str) -> dict[str, str]:
    return {finding.name: finding.fix for finding in examine(settings) if finding.state == state}


def test_healthy(app, settings):
    findings = examine(settings)
    assert {finding.state for finding in findings if finding.name != "keys"} == {OK}
    assert {"configuration", "database", "schema", "redis", "keys", "audit guard", "go backend"} <= {
        f.name for f in findings
    }


def test_old_schema(app, settings):
    migrate(settings, 60, lambda line: None, required_version() - 1)
    try:
        assert states(settings, WRONG) == {"schema": "run: backend migrate"}
    finally:
        migrate(settings, 60, lambda line: None)


def test_a_missing_column(app, settings, services):
    services.database.write(lambda db: db.executesql("ALTER TABLE idempotency_keys RENAME COLUMN body TO other"))
    try:
        wrong = [finding.detail for finding in examine(settings) if finding.state == WRONG]
        assert wrong == ["idempotency_keys lacks body"]
    finally:
        services.database.write(lambda db: db.executesql("ALTER TABLE idempotency_keys RENAME COLUMN other TO body"))


def test_an_unguarded_audit_log(app, settings, services):
    names = {"postgresql": "audit_events_append_only ON audit_events"}
    name = names.get(settings.db_type, "audit_events_no_delete")
    services.database.write(lambda db: db.executesql(f"DROP TRIGGER {name}"))
    try:
        assert set(states(settings, WARNING)) - {"keys"} == {"audit guard"}
        assert states(settings, WRONG) == {}
    finally:
        migrate(settings, 60, lambda line: None, 0)
        migrate(settings, 60, lambda line: None)
    assert "audit guard" not in states(settings, WARNING)


def test_leave_to_delete_that_was_never_taken_back(app, settings, services):
    if settings.db_type == "postgresql":
        assert not services.database.read(lambda db: fetch(db, "SELECT to_regclass('audit_maintenance') AS t"))[0]["t"]
        return
    services.database.write(lambda db: db.executesql("INSERT INTO audit_maintenance (id) VALUES (2)"))
    try:
        assert states(settings, WRONG) == {"audit guard": "DELETE FROM audit_maintenance"}
    finally:
        services.database.write(lambda db: db.executesql("DELETE FROM audit_maintenance"))


def test_a_clock_that_is_off(app, settings, monkeypatch):
    class Late(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(UTC) - timedelta(minutes=1)

    monkeypatch.setattr(database, "datetime", Late)
    expected = {} if settings.db_type == "sqlite" else {"clock": "synchronise the clocks of the nodes (NTP)"}
    assert states(settings, WRONG) == expected


@pytest.mark.parametrize(
    ("values", "name"),
    [({"redis_host": "127.0.0.1", "redis_port": 1}, "redis"), ({"go_backend_target": "127.0.0.1:1"}, "go backend")],
)
def test_what_the_backend_lives_without_is_a_warning(app, settings, values, name):
    changed = settings.model_copy(update=values)
    assert states(changed, WRONG) == {}
    assert states(changed, WARNING)[name]


def test_no_database(monkeypatch):
    away = make_settings(db_type="postgresql", db_host="127.0.0.1", db_port=1, db_password="x")
    attempts, connect = [], Pool.connection
    monkeypatch.setattr(Pool, "connection", lambda *args, **options: attempts.append(1) or connect(*args, **options))
    assert list(states(away, WRONG)) == ["database"], "once is enough: all else about it would say the same"
    assert len(attempts) == 1
    made = CliRunner().invoke(cli, ["doctor"], env=environment(away))
    assert made.exit_code == 1
    assert "→ start the database" in made.output


def test_output_for_programs(app, settings):
    made = CliRunner().invoke(cli, ["doctor", "--output", "json"], env=environment(settings))
    assert made.exit_code == 0, made.output
    assert {"name", "state", "detail", "fix"} == set(json.loads(made.stdout)[0])


def test_wrong_configuration():
    made = CliRunner().invoke(cli, ["doctor"], env={"DB_TYPE": "oracle"})
    assert made.exit_code == 2
    assert "DB_TYPE" in made.output
