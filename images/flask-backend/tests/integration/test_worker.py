"""The command `backend worker` on real servers: killed, without Redis, and drained."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from api_client import ApiClient, assert_problem, make_settings, reset
from ports import free_port

from backend.app import create_app

SOURCE = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture
def redis_settings(redis_server) -> dict:
    return {"redis_host": "127.0.0.1", "redis_port": redis_server.port, "redis_password": redis_server.password}


@pytest.fixture
def app(migrated_app, database_settings, redis_settings):
    reset(migrated_app)
    return create_app(make_settings(**database_settings, **redis_settings))


@pytest.fixture
def worker(database_settings, redis_settings, tmp_path):
    """A function that starts a worker process; all are ended with the test."""
    started = []

    def start() -> tuple[subprocess.Popen, int]:
        port = free_port()
        values = database_settings | redis_settings | {"environment": "alpha", "port": port, "password_hash_cost": 10}
        environment = {name.upper(): str(value) for name, value in values.items()}
        environment |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)}
        log = (tmp_path / f"{port}.log").open("wb")
        command = [sys.executable, "-m", "backend", "worker", "--address", "127.0.0.1"]
        started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        wait_for(lambda: answers(port, "/readyz"), 90)
        return started[-1], port

    yield start
    for process in started:
        process.kill()
        process.wait()


def answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status == 200
    except OSError:
        return False


def wait_for(check, timeout: float) -> None:
    end = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < end, f"not so after {timeout} s"
        time.sleep(0.1)


def start_import(client, lines: int) -> str:
    text = "email,full_name,role\n" + "".join(f"user{n}@example.com,User {n},viewer\n" for n in range(lines))
    answer = client.post("/api/v1/jobs", json={"kind": "users.import", "arguments": {"csv": text}})
    assert answer.status_code == 202, answer.text
    return answer.json["id"]


def job(client, job_id: str) -> dict:
    return client.get(f"/api/v1/jobs/{job_id}").json


def test_a_killed_worker_s_job_is_done_by_the_next(app, worker):
    client = ApiClient(app).login("admin@example.com", "admin")
    process, _port = worker()
    job_id = start_import(client, 60)
    wait_for(lambda: job(client, job_id)["state"] == "running", 60)
    process.kill()
    process.wait()
    assert job(client, job_id)["state"] == "running"
    worker()
    wait_for(lambda: job(client, job_id)["state"] == "succeeded", 180)
    assert job(client, job_id)["attempts"] == 2
    assert client.get("/api/v1/users?search=user").json["pagination"]["total"] == 60


def test_sigterm_gives_a_long_job_back_and_ends_in_order(app, worker):
    client = ApiClient(app).login("admin@example.com", "admin")
    process, _port = worker()
    job_id = start_import(client, 2000)
    wait_for(lambda: job(client, job_id)["progress"]["done"] > 0, 60)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert job(client, job_id)["state"] == "queued"
    assert client.post(f"/api/v1/jobs/{job_id}/cancel").json["state"] == "cancelled"


def test_redis_away_and_back(app, worker, redis_server):
    client = ApiClient(app).login("admin@example.com", "admin")
    _process, port = worker()
    redis_server.stop()
    problem = assert_problem(client.post("/api/v1/jobs", json={"kind": "users.export"}), 503)
    assert problem["type"] == "urn:triptych:problem:queue-unavailable"
    assert client.get("/api/v1/jobs").status_code == 200
    assert answers(port, "/healthz")
    assert answers(port, "/readyz")
    redis_server.start()
    redis_server.wait_healthy()
    taken = []

    def takes_jobs() -> bool:
        taken.append(client.post("/api/v1/jobs", json={"kind": "users.export"}))
        return taken[-1].status_code == 202

    wait_for(takes_jobs, 30)
    wait_for(lambda: job(client, taken[-1].json["id"])["state"] == "succeeded", 90)
