"""Schemathesis against the running server, for every role: no server error, and no answer the document does not name.

Seeded and bounded: a failure here is the same failure everywhere. FUZZ_EXAMPLES raises the number of examples.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from api_client import make_settings, reset
from ports import free_port

import virtualenv
from backend.app import create_app
from backend.database.migrate import migrate
from backend.permissions import ROLES
from backend.users.service import insert_user

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "8")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# Streams never end; what ends the session of the run would leave nothing to test.
EXCLUDED = r"^/api/v1/(events|ingest/tail|guard/drops|auth/(logout|logout-all|sessions.*|password)|openapi\.json)$"
PASSWORD = "password of a user"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def fuzzed(request, tmp_path_factory):
    """Settings of a migrated database, and the URL of a server on it."""
    folder = tmp_path_factory.mktemp("fuzz")
    if request.param == "sqlite":
        database = {"db_type": "sqlite", "db_sqlite_path": folder / "fuzz.db"}
        yield from _served(database, folder)
        return
    from servers import POSTGRESQL, ServerContainer

    with ServerContainer(POSTGRESQL) as running:
        yield from _served(running.settings, folder)


def _served(database: dict, folder: Path):
    settings = make_settings(**database)
    migrate(settings, timeout=60, progress=lambda line: None)
    port = free_port()
    # Without background work: webhooks of invented URLs are stored and never called.
    values = database | {"environment": "alpha", "background": "external", "password_hash_cost": 4, "port": port}
    environment = {name.upper(): str(value) for name, value in values.items()}
    environment |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "LOG_LEVEL": "warning"}
    log = folder / "server.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "backend", "serve", "--address", "127.0.0.1"]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        _wait(f"http://127.0.0.1:{port}/readyz", log)
        yield settings, f"http://127.0.0.1:{port}", log
    finally:
        process.terminate()
        process.wait(90)


def _wait(url: str, log: Path) -> None:
    end = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(url, timeout=3):
                return
        except OSError:
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)


def sign_in(settings, url: str, role: str) -> tuple[str, int]:
    """Token and id of a user of a role; the database is emptied before."""
    app = create_app(settings)
    reset(app)
    services = app.extensions["backend"]
    email = f"fuzz-{role}@example.com"
    fields = {"email": email, "full_name": "Fuzz", "role": role, "password": PASSWORD, "is_active": True}
    user = insert_user(services.database, services.hasher, **fields)
    body = f'{{"email": "{email}", "password": "{PASSWORD}"}}'.encode()
    request = urllib.request.Request(f"{url}/api/v1/auth/login", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)["access_token"], user["id"]


@pytest.mark.parametrize("role", ROLES)
def test_the_api_keeps_to_its_document(fuzzed, role, tmp_path):
    settings, url, log = fuzzed
    token, user_id = sign_in(settings, url, role)
    python = virtualenv.ensure(ROOT / "requirements-fuzz.txt")
    command = [
        python.parent / "schemathesis", "run", f"{url}/api/v1/openapi.json", "--url", url, "--no-color",
        "--header", f"Authorization: Bearer {token}", "--checks", CHECKS, "--exclude-path-regex", EXCLUDED,
        "--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", "1", "--generation-deterministic",
        "--no-shrink", "--continue-on-failure", "--request-timeout", "60",
        "--suppress-health-check", "all", "--warnings", "off",
    ]  # fmt: skip
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(ROOT / "tests" / "fuzz"),
        "FUZZ_USER_ID": str(user_id),
    }
    result = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert "unhandled error" not in log.read_text()
    request = urllib.request.Request(f"{url}/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200, "the session of the run ended early, so it proved too little"
