"""Shards on real servers, engines mixed: the primary on one, a shard on each of two others and on SQLite."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from servers import MARIADB, MYSQL, POSTGRESQL, ServerContainer
from shard_data import add, fill, places, quiet
from unit.test_shards import *
from unit.test_shards_in_use import *

from backend.shards import membership
from backend.shards.mover import Mover

SOURCE = Path(__file__).resolve().parents[2] / "src"
# Primary, then the shards a and b; c is a file.
MIXES = {
    "postgresql": (POSTGRESQL, MARIADB, MYSQL),
    "mariadb": (MARIADB, POSTGRESQL, MYSQL),
}


@pytest.fixture(scope="module", params=MIXES, ids=MIXES)
def servers(request):
    """Running servers of the primary, of `a` and of `b`."""
    with ExitStack() as stack:
        yield [stack.enter_context(ServerContainer(recipe)) for recipe in MIXES[request.param]]


@pytest.fixture(scope="module")
def databases(servers, tmp_path_factory) -> dict[str, dict]:
    found = {name: running.settings for name, running in zip((PRIMARY, "a", "b"), servers, strict=True)}
    return found | {"c": {"db_type": "sqlite", "db_sqlite_path": tmp_path_factory.mktemp("shard") / "c.db"}}


def start(settings, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "backend", "shards", *arguments]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)} | shards_environment(settings)
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_kill_9_while_rows_move(app, services, settings, kills):
    """SIGKILL of the command at random moments, readers all the while: nothing is lost, doubled or out of order."""
    ids = fill(services, 100, 60)
    before = {table.name: contents(services, table) for table in TABLES}
    add(services, settings, "a", "b")
    membership.add(services.shards, settings, "c", 30, quiet)
    stop, wrong, reads, killed = threading.Event(), [], Counter(), Counter()

    def read() -> None:
        client = ApiClient(app).login("admin@example.com", "admin")
        while not stop.is_set():
            lines, promised = exported(client)
            if lines != sorted(ids) or promised > len(ids):
                wrong.append((len(lines), len(set(lines)), promised))
            reads["exports"] += 1

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for arguments in (("rebalance",), ("drain", "a"), ("drain", "b")):
            for _ in range(kills):
                killed[start_and_kill(settings, services, *arguments)] += 1
            process = start(settings, *arguments)
            output = process.communicate(timeout=180)
            assert process.returncode == 0, output
    finally:
        stop.set()
        reader.join()
    print(f"kills: {dict(killed)}, exports meanwhile: {reads['exports']}, wrong: {len(wrong)}")
    assert not wrong, wrong[:5]
    assert reads["exports"] >= 3
    assert killed["moving"] >= kills
    admin = ApiClient(app).login("admin@example.com", "admin")
    assert_whole(services, admin, ids)
    assert {table.name: contents(services, table) for table in TABLES} == before
    assert places(services)["a"] == {}


def start_and_kill(settings, services, *arguments: str) -> str:
    """Kill the command a moment after it says that it moves rows; tells whether it still did."""
    process = start(settings, *arguments)
    for line in process.stderr:
        if "→" in line:
            break
    time.sleep(random.uniform(0, 0.15))
    process.kill()
    ended = process.wait()
    # Its lease ends by itself after half a minute; the test cannot wait so long.
    services.database.write(lambda db: db(db.leases.name == mover.LEASE).delete())
    return "moving" if ended < 0 else "done"


def contents(services, table) -> Counter:
    """The rows that a test made, wherever they are, as every engine has them."""
    columns = [name for name in table.columns if name != "id" or table is AUDIT_EVENTS]
    kind = "action" if table is AUDIT_EVENTS else "kind"
    found = services.shards.gather(
        lambda database: database.read(
            lambda db: fetch(db, f"SELECT * FROM {table.name} WHERE {kind} = %s", "shards.test")
        )
    )
    rows = {row["id"]: tuple(str(row[name]) for name in columns) for part in found for row in part}
    return Counter(rows.values())


def test_a_server_that_dies(app, services, settings, servers, admin):
    """A shard's server is killed while rows move: the command says so, logins go on, and all is there afterwards."""
    ids = fill(services, 60, 20)
    add(services, settings, "a")
    membership.add(services.shards, settings, "b", 30, quiet)
    servers[1].kill()
    try:
        process = start(settings, "rebalance")
        _, error = process.communicate(timeout=180)
        assert process.returncode == 1
        assert "Error: shard a: " in error
        assert "nothing was lost" in error
        assert "Traceback" not in error
        ApiClient(app).login("admin@example.com", "admin").create_user(email="during@example.com")
        problem = assert_problem(admin.get("/api/v1/audit"), 503)
        assert "The shard a does not answer" in problem["detail"]
        ready = ApiClient(app).get("/readyz")
        assert ready.status_code == 200
    finally:
        servers[1].start()
        servers[1].wait_healthy()
    Mover(services.shards).run()
    assert_whole(services, admin, ids)


def test_the_share_of_a_new_shard(services, settings):
    """What `add` moves, in figures; `-s` shows them."""
    fill(services, 1000, 2)
    total = 4000
    for count, name in enumerate(NAMES, 1):
        started = time.monotonic()
        moved = add(services, settings, name)
        seconds = time.monotonic() - started
        print(f"shard {count} ({name}): {moved} of {total} rows moved ({100 * moved / total:.1f} %), {seconds:.1f} s")
        assert moved / total == pytest.approx(1 / count, rel=0.15)
