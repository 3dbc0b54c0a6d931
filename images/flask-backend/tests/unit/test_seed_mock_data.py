"""`make seed-mock-data` against a real server: a few items of every feature, once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from served import Server

SCRIPT = Path(__file__).resolve().parents[4] / "ci" / "seed_mock_data.py"
COLLECTIONS = {"users": "users", "webhooks": "webhooks", "guard/rules": "rules", "api-keys": "api_keys"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("seeded"))
    running.wait()
    yield running
    running.end()


def seed(server: Server, password: str = "admin") -> subprocess.CompletedProcess:
    url = f"http://127.0.0.1:{server.port}"
    command = [sys.executable, SCRIPT, "--url", url, "--password", password]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def items(server: Server, token: str) -> dict[str, int]:
    found = {}
    for path, name in COLLECTIONS.items():
        status, answer = server.call("GET", f"/api/v1/{path}", token=token)
        assert status == 200, answer
        found[path] = answer["pagination"]["total"] if "pagination" in answer else len(answer[name])
    return found


def test_every_feature_gets_a_few_items_and_a_second_run_adds_none(server):
    token = server.login()
    result = seed(server)
    assert result.returncode == 0, result.stderr
    seeded = items(server, token)
    assert seeded == {"users": 5, "webhooks": 3, "guard/rules": 3, "api-keys": 3}  # the first admin is a user, too
    # More rules than a page holds, after which those of the first run are on another page, whatever the order.
    for number in range(45):
        rule = {"prefix": f"192.0.2.{number}/32", "action": "deny", "count_only": True}
        assert server.call("POST", "/api/v1/guard/rules", rule, token)[0] == 201
    result = seed(server)
    assert result.returncode == 0, result.stderr
    assert items(server, token) == seeded | {"guard/rules": 48}
    assert "created" not in result.stderr


def test_a_wrong_password_is_one_line(server):
    result = seed(server, "wrong")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: POST /auth/login answered 401: ")
