"""`backend migrate` on real servers, in four processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from api_client import ACCOUNT_TABLES

from backend.database.engine import build_dal
from backend.database.migrations import required_version

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


def start_migrate(environment: dict) -> subprocess.Popen:
    command = [sys.executable, "-m", "backend", "migrate", "--timeout", "60"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_four_processes_on_an_empty_database(settings, environment):
    dal = build_dal(settings)
    for table in ("audit_events", *ACCOUNT_TABLES, "schema_version"):
        dal.executesql(f"DROP TABLE IF EXISTS {table}")
    dal.commit()
    dal._adapter.release(healthy=False)
    processes = [start_migrate(environment) for _ in range(4)]
    outputs = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], outputs
    applied = "".join(outputs).count("applying migration 0001")
    assert applied == 1, outputs
    assert "".join(outputs).count("created the first admin") == 1, outputs
    rows = dal.executesql("SELECT version FROM schema_version")
    assert [row[0] for row in rows] == list(range(1, required_version() + 1))
    assert dal.executesql("SELECT COUNT(*) FROM users")[0][0] == 1
    dal._adapter.release(healthy=False)


def test_it_waits_for_a_server_that_starts_late(environment, server):
    server.stop()
    process = start_migrate(environment)
    assert "waiting for the database" in process.stderr.readline()
    server.start()
    _, rest = process.communicate(timeout=120)
    assert process.returncode == 0, rest
    server.wait_healthy()


def test_a_wrong_password_ends_in_one_clear_line(environment):
    environment |= {"DB_PASSWORD": "wrong"}
    command = [sys.executable, "-m", "backend", "migrate", "--timeout", "3"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "no database after" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
