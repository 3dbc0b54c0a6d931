#!/usr/bin/env python3
"""`make bench`: the backend's figures against a FastAPI program, written to docs/performance-backend.md.

Both serve on one PostgreSQL in turns, so that a slower moment of the machine meets both. Exit code 1 when a bound
does not hold. `--threads` tries numbers of request threads instead.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import sys
import tempfile
import threading
from datetime import date
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "ci"), str(ROOT / "images/flask-backend/tests"), str(ROOT / "images/flask-backend/src")]

import load
import programs

import images
import virtualenv
from common import CiError, log, main_guard, run

PAGE = ROOT / "docs" / "performance-backend.md"
REQUIREMENTS = ROOT / "images/flask-backend/requirements-dev.txt"
ADMIN, PASSWORD = "admin@example.com", "a password for the bench"
USERS = 60
LIST = "/api/v1/users?per_page=50"
MIN_RATIO, MAX_SLOWDOWN, LOGIN_RATIO = 2.0, 3.0, (0.95, 1.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("--threads", action="store_true", help="compare numbers of request threads")
    options = parser.parse_args()
    own = virtualenv.ensure(REQUIREMENTS)
    if Path(sys.prefix) != own.parent.parent:
        # The backend and the test servers' helpers need its packages.
        os.execv(own, [str(own), *sys.argv])
    images.build_all(["postgresql"])
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = Bench(stack, folder, options)
        if options.threads:
            bench.threads()
            return
        problems = bench.all()
    if problems:
        raise CiError("; ".join(problems))


class Bench:
    """The servers of one run and what is measured on them."""

    def __init__(self, stack: contextlib.ExitStack, folder: Path, options):
        from servers import POSTGRESQL, ServerContainer

        self.options, self.folder, self.stack = options, folder, stack
        database = stack.enter_context(ServerContainer(POSTGRESQL))
        self.environment = _environment(database, folder)
        self.url = (
            f"postgresql+psycopg2://triptych:{quote(database.password, safe='')}@127.0.0.1:{database.port}/triptych"
        )
        command = [sys.executable, "-m", "backend", "migrate"]
        run(*command, env={**os.environ, **self.environment, "PYTHONPATH": str(ROOT / "images/flask-backend/src")})

    def all(self) -> list[str]:
        """Measure everything, write the page, and return the bounds that do not hold."""
        ours = self.stack.enter_context(programs.backend(self.environment, self.folder / "backend.log"))
        token = self.fill(ours)
        python = virtualenv.ensure(Path(__file__).parent / "peer" / "requirements.txt")
        settings = self.environment | {"DATABASE_URL": self.url}
        peer = self.stack.enter_context(programs.peer(python, settings, self.folder / "peer.log"))
        figures = self.throughput({"backend": ours, "peer": peer}, token)
        figures |= self.logins(ours, token)
        figures |= self.login_times(ours)
        write_page(figures)
        return failures(figures)

    def fill(self, program) -> str:
        """Create users and return an admin's token."""
        status, answer = load.call(program.port, "POST", "/api/v1/auth/login", {"email": ADMIN, "password": PASSWORD})
        if status != 200:
            raise CiError(f"the admin cannot log in: {answer}")
        token = answer["access_token"]
        for number in range(USERS):
            body = {"email": f"user{number}@example.com", "full_name": f"User {number}", "role": "viewer"}
            status, answer = load.call(program.port, "POST", "/api/v1/users", body | {"password": PASSWORD}, token)
            if status != 201:
                raise CiError(f"no user: {answer}")
        return token

    def throughput(self, targets: dict, token: str) -> dict:
        """Requests per server CPU second of each program, in turns."""
        answers = {name: load.call(program.port, "GET", LIST, token=token) for name, program in targets.items()}
        for name, (status, body) in answers.items():
            if status != 200 or [user["email"] for user in body["users"]] != [
                user["email"] for user in answers["backend"][1]["users"]
            ]:
                raise CiError(f"{name} does not serve the same list: {status}")
        found: dict[str, list[float]] = {name: [] for name in targets}
        for number in range(self.options.rounds + 1):
            for name, program in targets.items():
                before = program.cpu_seconds()
                result = load.run(program.port, 8, self.options.seconds, reader(token))
                if result.errors:
                    raise CiError(f"{name}: {len(result.errors)} errors, the first {result.errors[0]}")
                if number:  # the first round warms up
                    found[name].append(len(result.latencies) / (program.cpu_seconds() - before))
        for name, values in found.items():
            log(
                f"{name}: {statistics.median(values):.0f} requests per CPU second ({min(values):.0f}–{max(values):.0f})"
            )
        ratios = [ours / theirs for ours, theirs in zip(found["backend"], found["peer"], strict=True)]
        return found | {"ratios": ratios}

    def logins(self, ours, token: str) -> dict:
        """Latency of the users list, quiet and while 16 clients log in over and over."""
        seconds = self.options.seconds * 3
        quiet = load.run(ours.port, 2, seconds, reader(token))
        busy: dict[str, load.Result] = {}

        def log_in(number: int):
            body = json.dumps({"email": f"user{number}@example.com", "password": PASSWORD})
            while True:
                yield "POST", "/api/v1/auth/login", {"Content-Type": "application/json"}, body, 200

        storm = threading.Thread(target=lambda: busy.update(logins=load.run(ours.port, 16, seconds + 1, log_in)))
        storm.start()
        reads = load.run(ours.port, 2, seconds, reader(token))
        storm.join()
        errors = quiet.errors + reads.errors + busy["logins"].errors
        slowdown = reads.percentile(0.99) / quiet.percentile(0.99)
        log(
            f"p99 quiet {quiet.percentile(0.99) * 1000:.1f} ms, with logins {reads.percentile(0.99) * 1000:.1f} ms"
            f" ({slowdown:.1f} times), {len(busy['logins'].latencies)} logins, {len(errors)} errors {errors[:1]}"
        )
        return {
            "quiet_p99": quiet.percentile(0.99),
            "busy_p99": reads.percentile(0.99),
            "slowdown": slowdown,
            "logins": len(busy["logins"].latencies),
            "login_errors": len(errors),
        }

    def login_times(self, ours) -> dict:
        """Wrong passwords of known and of unknown users, in turns."""
        times: dict[str, list[float]] = {"user": [], "nobody": []}
        for number in range(40):
            # Pairs in both orders, so that a drift of the machine meets both.
            for name in sorted(times, reverse=bool(number % 2)):
                body = json.dumps({"email": f"{name}{number}@example.com", "password": "a wrong password"})
                once = iter([("POST", "/api/v1/auth/login", {"Content-Type": "application/json"}, body, 401)])
                result = load.run(ours.port, 1, 30, lambda _, requests=once: requests)
                if result.errors:
                    raise CiError(f"a wrong login answered {result.errors[0]}")
                times[name] += result.latencies
        ratio = statistics.median(times["user"]) / statistics.median(times["nobody"])
        log(f"login of a known user takes {ratio:.3f} times as long as that of an unknown one")
        return {"login_ratio": ratio, "login_seconds": statistics.median(times["user"])}

    def threads(self) -> None:
        """Throughput and latency by number of request threads, in turns."""
        numbers = (4, 8, 16, 24, 48)
        targets = {}
        for number in numbers:
            program = programs.backend(self.environment, self.folder / f"{number}.log", THREADS=str(number))
            targets[number] = self.stack.enter_context(program)
        token = self.fill(targets[numbers[0]])
        found: dict[int, list[tuple[float, float, float]]] = {number: [] for number in numbers}
        for _ in range(self.options.rounds):
            for number, program in targets.items():
                before = program.cpu_seconds()
                result = load.run(program.port, 32, self.options.seconds, reader(token))
                spent = program.cpu_seconds() - before
                count = len(result.latencies)
                found[number].append((count / spent, count / self.options.seconds, result.percentile(0.99) * 1000))
        print("threads | requests per CPU second | requests per second | p99 in ms, 32 connections")
        for number, rows in found.items():
            print(
                f"{number:7} | " + " | ".join(f"{statistics.median(column):.1f}" for column in zip(*rows, strict=True))
            )


def reader(token: str):
    """Requests of the users list."""

    def requests(_number: int):
        while True:
            yield "GET", LIST, {"Authorization": f"Bearer {token}"}, None, 200

    return requests


def failures(figures: dict) -> list[str]:
    """Bounds that do not hold, one line each."""
    ratio, slowdown, login = statistics.median(figures["ratios"]), figures["slowdown"], figures["login_ratio"]
    checks = {
        f"the backend answers only {ratio:.2f} times as many requests per CPU second": ratio >= MIN_RATIO,
        f"logins slow other requests down {slowdown:.1f} times": slowdown <= MAX_SLOWDOWN,
        f"{figures['login_errors']} requests failed while clients logged in": not figures["login_errors"],
        f"a known user's login takes {login:.3f} times as long": LOGIN_RATIO[0] <= login <= LOGIN_RATIO[1],
    }
    return [text for text, holds in checks.items() if not holds]


def write_page(figures: dict) -> None:
    """Replace the page of figures."""

    def shown(values: list[float], digits: int = 0) -> str:
        return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"

    PAGE.write_text(
        f"""# The backend's performance

Measured by `make bench` on {date.today()}: {platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}.
Medians (ranges) of interleaved rounds in one run, on one PostgreSQL.

| figure | backend | FastAPI + SQLAlchemy | ratio | bound |
|---|---|---|---|---|
| authenticated users list of 50 rows, requests per server CPU second | {shown(figures["backend"])} | {shown(figures["peer"])} | {shown(figures["ratios"], 2)} | ≥ {MIN_RATIO} |

| figure | value | bound |
|---|---|---|
| p99 of the users list, quiet | {figures["quiet_p99"] * 1000:.1f} ms | |
| the same while 16 clients log in ({figures["logins"]} logins, {figures["login_errors"]} errors) | {figures["busy_p99"] * 1000:.1f} ms, {figures["slowdown"]:.2f} times | ≤ {MAX_SLOWDOWN:.0f} times, 0 errors |
| login of a known ÷ an unknown user (wrong password) | {figures["login_ratio"]:.3f} | {LOGIN_RATIO[0]}–{LOGIN_RATIO[1]} |

The comparison program is `tests/performance/peer/app.py`: the same checks of the same token and session, the same two queries, on uvicorn with uvloop and httptools.
`python3 tests/performance/bench.py --threads` compares numbers of request threads.
"""
    )


def _environment(database, folder: Path) -> dict:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = folder / "signing.pem"
    formats = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key.write_bytes(Ed25519PrivateKey.generate().private_bytes(*formats))
    return {
        "ENVIRONMENT": "production",
        "DB_TYPE": "postgresql",
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(database.port),
        "DB_PASSWORD": database.password,
        "JWT_SIGNING_KEY_FILE": str(key),
        "FIRST_ADMIN_EMAIL": ADMIN,
        "FIRST_ADMIN_PASSWORD": PASSWORD,
        "FIRST_ADMIN_MUST_CHANGE_PASSWORD": "false",
    }


if __name__ == "__main__":
    main_guard(main)
