"""`backend migrate` on real servers, in four processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from unit.test_migrations import *

from backend.database.engine import build_dal
from backend.database.migrate import migrate
from backend.doctor import OK, examine

INSERT = (
    "INSERT INTO audit_events (id, occurred_at, actor, credential, action, target_type, target_id, address, request_id,"
    " details) VALUES ('an old one', '2020-01-01 00:00:00', 'x', '', 'test.old', '', '', '', '', '{}')"
)
SOURCE = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture
def environment(settings) -> dict:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCE),
        "ENVIRONMENT": "alpha",
        "PASSWORD_HASH_COST": "4",
        "DB_TYPE": settings.db_type,
        "DB_HOST": settings.db_host,
        "DB_PORT": str(settings.db_port),
        "DB_PASSWORD": settings.db_password.get_secret_value(),
    }


def start_migrate(environment: dict, *options: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "backend", "migrate", "--timeout", "180", *options]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def run_four(environment: dict, *options: str) -> str:
    """Everything that four processes said which ran at the same time, all with success."""
    processes = [start_migrate(environment, *options) for _ in range(4)]
    outputs = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], outputs
    return "".join(outputs)


def test_four_processes_on_an_empty_database(settings, environment):
    migrate(settings, 60, lambda line: None, 0)
    output = run_four(environment)
    for version in VERSIONS:
        assert output.count(f"applying migration {version:04d}") == 1, output
    assert output.count("created the first admin") == 1, output
    dal = build_dal(settings)
    rows = dal.executesql("SELECT version FROM schema_version ORDER BY version")
    assert [row[0] for row in rows] == list(VERSIONS)
    assert dal.executesql("SELECT COUNT(*) FROM users")[0][0] == 1
    dal._adapter.release(healthy=False)


def test_four_processes_go_back_and_up(settings, environment):
    migrate(settings, 60, lambda line: None)
    assert run_four(environment, "--to", str(NEWEST - 1), "--yes").count("taking back migration") == 1
    assert run_four(environment, "--to", str(NEWEST), "--yes").count("applying migration") == 1


def test_an_older_release_deletes_old_audit_events_until_its_rollout_is_over(settings):
    """On MySQL and MariaDB the releases before version 8 know nothing of the guard that it brings."""
    older = {"postgresql": "SET LOCAL triptych.audit_maintenance = 'on'", "mysql": "SELECT 1"}[settings.db_type]

    def delete_as_before() -> int:
        dal = build_dal(settings)
        try:
            dal.executesql(INSERT)
            dal.commit()
            dal.executesql(older)
            dal.executesql("DELETE FROM audit_events WHERE id = 'an old one'")
            dal.commit()
            return dal.executesql("SELECT COUNT(*) FROM audit_events")[0][0]
        finally:
            dal._adapter.release(healthy=False)

    migrate(settings, 60, lambda line: None, 0)
    migrate(settings, 60, lambda line: None, 7)
    lines: list[str] = []
    migrate(settings, 60, lines.append)
    assert delete_as_before() == 0
    assert [line for line in lines if "come with the next" in line] or settings.db_type == "postgresql"
    migrate(settings, 60, lines.append)
    assert [found.state for found in examine(settings) if found.name == "audit guard"] == [OK]


def test_it_waits_for_a_server_that_starts_late(environment, server):
    server.stop()
    process = start_migrate(environment)
    assert "waiting for the database" in process.stderr.readline()
    server.start()
    _, rest = process.communicate(timeout=300)
    assert process.returncode == 0, rest
    server.wait_healthy()


def test_a_wrong_password_ends_in_one_clear_line(environment):
    environment |= {"DB_PASSWORD": "wrong"}
    command = [sys.executable, "-m", "backend", "migrate", "--timeout", "3"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 1
    assert "no database after" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
