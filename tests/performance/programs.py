"""The two programs under comparison, as processes on one database."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from load import call

ROOT = Path(__file__).resolve().parents[2]
BACKEND = ROOT / "images" / "flask-backend"
TICKS = os.sysconf("SC_CLK_TCK")


class Program:
    """A server process; its CPU time includes its children's."""

    def __init__(self, command: list, environment: dict, port: int, log: Path):
        self.port = port
        full = {"PATH": os.environ["PATH"], **environment}
        with log.open("wb") as output:
            self.process = subprocess.Popen([str(part) for part in command], env=full, stdout=output, stderr=output)
        self._log = log

    def __enter__(self):
        end = time.monotonic() + 60
        while True:
            try:
                call(self.port, "GET", "/healthz")
                return self
            except (OSError, ValueError):
                if time.monotonic() > end or self.process.poll() is not None:
                    raise RuntimeError(f"the server did not start:\n{self._log.read_text()[-2000:]}") from None
                time.sleep(0.2)

    def __exit__(self, *_) -> None:
        self.process.terminate()
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def cpu_seconds(self) -> float:
        """User and system time of the process and all its descendants."""
        return sum(_ticks(pid) for pid in _tree(self.process.pid)) / TICKS


def free_port() -> int:
    """A port nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def backend(environment: dict, log: Path, **changes) -> Program:
    """Our server."""
    port = free_port()
    values = environment | {"PORT": str(port), "PYTHONPATH": str(BACKEND / "src"), "BACKGROUND": "external", **changes}
    return Program([sys.executable, "-m", "backend", "serve", "--address", "127.0.0.1"], values, port, log)


def peer(python: Path, environment: dict, log: Path) -> Program:
    """The FastAPI program."""
    port = free_port()
    values = environment | {"PYTHONPATH": str(Path(__file__).parent / "peer")}
    return Program([python, "-m", "uvicorn", "app:app", "--port", str(port)], values, port, log)


def _tree(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*"):
        for child in (task / "children").read_text().split():
            found += _tree(int(child))
    return found


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
