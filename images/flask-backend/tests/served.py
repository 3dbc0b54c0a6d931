"""A server process as it really runs, for tests of what only shows there."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from ports import free_port

SOURCE = Path(__file__).resolve().parents[1] / "src"


class Server:
    """`backend serve` on SQLite.

    Args:
        folder: for its database and its log.
        variables: more of its environment.
    """

    def __init__(self, folder: Path, **variables):
        self.database = folder / "served.db"
        self.port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SOURCE),
            "ENVIRONMENT": "alpha",
            "DB_TYPE": "sqlite",
            "DB_SQLITE_PATH": str(self.database),
            "PASSWORD_HASH_COST": "4",
            "PORT": str(self.port),
        } | {name: str(value) for name, value in variables.items()}
        self.log = folder / "log"
        command = [sys.executable, "-m", "backend", "serve", "--migrate", "--address", "127.0.0.1"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def text(self, path: str, token: str = "", method: str = "GET", body: dict | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        with contextlib.closing(connection):
            return answer.status, answer.read().decode()

    def call(self, method: str, path: str, body: dict | None = None, token: str = "") -> tuple[int, dict]:
        status, content = self.text(path, token, method, body)
        return status, json.loads(content) if content else {}

    def login(self, email: str = "admin@example.com", password: str = "admin") -> str:
        status, answer = self.call("POST", "/api/v1/auth/login", {"email": email, "password": password})
        assert status == 200, answer
        return answer["access_token"]

    def wait(self) -> None:
        end = time.monotonic() + 90
        while True:
            with contextlib.suppress(OSError):
                if self.call("GET", "/readyz")[0] == 200:
                    return
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.2)

    def metric(self, name: str) -> float:
        lines = self.text("/metrics")[1].splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])

    def end(self) -> None:
        # Not SIGKILL: that would leave the worker process behind.
        self.process.terminate()
        self.process.wait(90)
