"""Shards that are lost or wrong, their schema, retention, export, and the command."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest
from api_client import ApiClient, assert_problem, make_settings
from click.testing import CliRunner
from shard_data import add, arrivals, clean, fill, places, quiet
from shard_platform import *

from backend.app import create_app
from backend.audit import queries
from backend.cli import cli
from backend.database import catalog
from backend.database.errors import DatabaseUnavailable
from backend.database.migrate import MigrationError, migrate
from backend.database.migrations import SHARDS_VERSION, required_version
from backend.database_settings import DatabaseSettings
from backend.doctor import OK, WRONG, examine
from backend.jobs import maintenance
from backend.shards import cluster, health, membership, mover, registry
from backend.shards.cluster import ShardUnavailable
from backend.shards.membership import ShardError
from backend.shards.mover import Mover
from backend.shards.placement import home
from backend.shards.registry import PRIMARY
from backend.shards.tables import TABLES
from backend.transfer.dump import TransferError
from backend.transfer.exporter import export, verify
from backend.transfer.importer import import_file

# ---- a shard is away, or is another one


@pytest.fixture
def away(services, settings, monkeypatch):
    """Three shards in use, of which `b` does not answer."""
    ids = fill(services, 30, 2)
    add(services, settings, "a", "b", "c")

    def refuse(*args, **kwargs):
        raise DatabaseUnavailable("connection refused")

    monkeypatch.setattr(services.shards.databases["b"], "read", refuse)
    return ids


def test_a_lost_shard_stops_no_login_and_is_named(app, away, services, admin):
    ApiClient(app).login("admin@example.com", "admin").create_user(email="during@example.com")
    for path in ("/api/v1/audit", "/api/v1/audit/export"):
        problem = assert_problem(admin.get(path), 503)
        assert problem["type"] == "urn:triptych:problem:shard-unavailable"
        assert "The shard b does not answer" in problem["detail"]
    tenant = next(f"t{n}" for n in range(30) if home(f"t{n}", NAMES) != "b")
    assert len(listed(admin, tenant=tenant)) == 2
    assert services.events.since(0)
    answer = ApiClient(app).get("/readyz")
    assert answer.status_code == 200
    assert answer.json["status"] == "ok"
    states = {name: check["status"] for name, check in answer.json["checks"].items()}
    assert states["shard a"] == states["shard c"] == "ok"
    assert answer.json["checks"]["shard b"]["status"] == "unavailable"
    assert "connection refused" in answer.json["checks"]["shard b"]["detail"]


def test_a_probe_does_not_wait_for_a_shard_that_hangs(app, services, settings, monkeypatch):
    add(services, settings, "a")
    ended = threading.Event()
    monkeypatch.setattr(services.shards.databases["a"], "read", lambda work: ended.wait(20))
    monkeypatch.setattr(services.shard_health, "_known", {})
    monkeypatch.setattr(services.shard_health, "_asked_at", 0.0)
    monkeypatch.setattr(health, "WAIT_SECONDS", 0.3)
    started = time.monotonic()
    answer = ApiClient(app).get("/readyz")
    elapsed = time.monotonic() - started
    asking = services.shard_health._asking
    ended.set()
    assert answer.status_code == 200
    assert answer.json["checks"]["shard a"] == {"status": "unavailable", "detail": "no answer yet"}
    assert elapsed < 15
    with pytest.raises(TypeError):  # what the stand-in returned
        asking.result(20)
    services.shard_health._asking = None  # for good: it would be given back to the next test


def test_a_database_that_is_another_one_is_refused(services, settings, admin):
    add(services, settings, "a")
    services.shards._checked.clear()
    services.shards.databases["a"].write(lambda db: db.executesql("UPDATE shard_identity SET id = 'other'"))
    problem = assert_problem(admin.get("/api/v1/audit"), 503)
    assert "shard a" in problem["detail"]
    with pytest.raises(ShardUnavailable, match="another one than was added"):
        Mover(services.shards).run()


def test_a_shard_that_settings_do_not_name(app, services, settings, admin):
    add(services, settings, "a")
    other = create_app(settings.model_copy(update={"shards": {}}))
    with pytest.raises(ShardUnavailable, match="SHARDS does not name it"):
        queries.list_events(other.extensions["backend"].shards, {}, 10, "")
    assert "shard a" in ApiClient(other).get("/readyz").json["checks"]


def test_databases_that_cannot_be_a_shard(services, settings, databases, tmp_path):
    own = DatabaseSettings(**databases[PRIMARY])
    with pytest.raises(ValueError, match="a is the database of the primary"):
        make_settings(**databases[PRIMARY], shards={"a": own})
    full = tmp_path / "full.db"
    migrate(make_settings(db_type="sqlite", db_sqlite_path=full), 60, quiet)
    wrong = make_settings(**databases[PRIMARY], shards={"x": DatabaseSettings(db_type="sqlite", db_sqlite_path=full)})
    shards = create_app(wrong).extensions["backend"].shards
    with pytest.raises(ShardError, match="holds .*: give it an empty database of its own"):
        membership.add(shards, wrong, "x", 30, quiet)
    with pytest.raises(ShardError, match=r"SHARDS does not name y \(it names: x\); set SHARDS and SHARD_Y_DB_"):
        membership.add(shards, wrong, "y", 30, quiet)
    add(services, settings, "a")
    with pytest.raises(ShardError, match="a is in use already"):
        membership.add(services.shards, settings, "a", 30, quiet)
    with pytest.raises(ShardError, match="b is not in use"):
        membership.drain(services.shards, "b")


def test_an_addition_that_was_killed(services, settings):
    """After the mark on its database, before the primary knew: the mark may be another platform's."""
    migrate(settings.shards["a"], 60, quiet, shard=True)
    database = services.shards.databases["a"]
    database.write(lambda db: membership._claim(db, "a", registry.Layout(), False))
    with pytest.raises(ShardError, match="add --take"):
        membership.add(services.shards, settings, "a", 30, quiet)
    membership.add(services.shards, settings, "a", 30, quiet, take=True)
    assert services.shards.layout().active == ("a",)


def test_a_shard_with_rows_is_not_removed(services, settings):
    fill(services, 10, 2)
    add(services, settings, "a")
    with pytest.raises(ShardError, match="still active; first run: backend shards drain a"):
        membership.remove(services.shards, "a", lost=False)
    membership.drain(services.shards, "a")
    with pytest.raises(ShardError, match="still gives rows away; first run: backend shards rebalance"):
        membership.remove(services.shards, "a", lost=False)
    membership.remove(services.shards, "a", lost=True)
    assert services.shards.layout().members == ()
    services.shards.databases["a"].write(clean)


# ---- schema


def test_a_shard_has_the_tables_of_events_only(services, settings):
    add(services, settings, "a")

    def tables(database) -> dict:
        return {table.name: table for table in database.read(lambda db: catalog.tables(db, database.engine))}

    own, shard = tables(services.database), tables(services.shards.databases["a"])
    assert shard.keys() == {table.name for table in TABLES}
    for table in TABLES:
        assert shard[table.name] == own[table.name] or services.database.engine != "sqlite"
        assert {column.name for column in own[table.name].columns} == set(table.columns)


def test_the_schema_of_shards_goes_along(services, settings, monkeypatch):
    add(services, settings, "a")
    with pytest.raises(MigrationError, match="the shards a are in use: first run backend shards drain"):
        migrate(settings, 60, quiet, SHARDS_VERSION - 1)
    lines = []
    membership.migrate_shards(settings, 60, lines.append, None)
    assert lines == [f"shard a: schema is at version {required_version()} (0 migrations run)"]
    # A release later, before its migrations ran.
    own = required_version()
    monkeypatch.setattr(cluster, "required_version", lambda: own + 1)
    services.shards._checked.clear()
    with pytest.raises(ShardUnavailable, match=f"version {own}, this release needs {own + 1}; run: backend migrate"):
        services.shards.gather(lambda database: None)


def test_a_shard_that_is_away_fails_the_migration_last(services, settings):
    add(services, settings, "a")
    gone = DatabaseSettings(db_type="postgresql", db_host="127.0.0.1", db_port=1, db_password="x")
    with pytest.raises(MigrationError, match="shard a: no database after"):
        membership.migrate_shards(settings.model_copy(update={"shards": {"a": gone}}), 1, quiet, None)


# ---- clean-up


def test_retention_reaches_every_shard(services, settings, monkeypatch):
    fill(services, 20, 2)
    add(services, settings, "a", "b")

    class Context:
        def __init__(self):
            self.services = replace(services, settings=settings.model_copy(update={"audit_retention_days": 1}))

        def progress(self, done, total) -> None:
            pass

    monkeypatch.setattr(maintenance, "first_id", lambda moment: "f" * 36)
    assert maintenance._audit(Context())["deleted"] >= 40
    assert maintenance._events(Context())["deleted"] >= 40
    assert not any(places(services).values())


# ---- export, doctor


def test_an_export_holds_every_event_once(services, settings, admin, tmp_path, monkeypatch):
    monkeypatch.setattr(mover, "BATCH", 7)
    fill(services, 20, 3)
    add(services, settings, "a", "b")
    membership.add(services.shards, settings, "c", 30, quiet)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(patch, "store", after=True)
        Mover(services.shards).run()
    services.database.write(lambda db: db(db.leases.name == mover.LEASE).delete())
    assert arrivals(services)
    halfway, whole = tmp_path / "halfway.gz", tmp_path / "whole.gz"
    first = {result.table: result for result in export(settings, halfway, quiet)}
    Mover(services.shards).run()
    second = {result.table: result for result in export(settings, whole, quiet)}
    for table in TABLES:
        assert first[table.name] == second[table.name]
        assert second[table.name].rows == sum(map(len, places(services, table.name).values()))
    verify(settings, whole, quiet)
    with pytest.raises(TransferError, match="the shards a, b, c are in use"):
        import_file(settings, whole, True, quiet)
    for name in NAMES:
        membership.drain(services.shards, name)
        Mover(services.shards).run()
        membership.remove(services.shards, name, lost=False)
    import_file(settings, whole, True, quiet)
    assert verify(settings, whole, quiet)


def test_the_doctor_sees_shards(services, settings):
    fill(services, 10, 1)
    add(services, settings, "a")
    membership.add(services.shards, settings, "b", 30, quiet)
    found = {finding.name: finding for finding in examine(settings)}
    assert (found["shard a"].state, found["shard b"].state) == (OK, OK)
    assert "audit_events" in found["shard a"].detail
    assert found["shards"].fix.endswith("backend shards rebalance")
    assert "not in use" in found["shard c"].detail
    Mover(services.shards).run()
    gone = DatabaseSettings(db_type="postgresql", db_host="127.0.0.1", db_port=1, db_password="x")
    found = {f.name: f for f in examine(settings.model_copy(update={"shards": settings.shards | {"a": gone}}))}
    assert found["shard a"].state == WRONG
    assert "shards" not in found


# ---- the command


def command(settings, *arguments: str):
    return CliRunner().invoke(cli, ["shards", *arguments], env=shards_environment(settings))


def test_the_command(services, settings, admin):
    ids = fill(services, 30, 4)
    preview = command(settings, "add", "a", "--dry-run")
    assert preview.exit_code == 0, preview.output
    assert "audit_events: primary → a: 12" in preview.stdout
    assert "(100.0 %)" in preview.stdout
    assert services.shards.layout().members == ()
    made = command(settings, "add", "a")
    assert made.exit_code == 0, made.output
    assert "rows moved" in made.stderr
    assert "all are at their home" in made.stdout
    assert command(settings, "add", "b").exit_code == 0
    again = command(settings, "add", "b")
    assert again.exit_code == 1
    assert again.output == "Error: b is in use already (active); see: backend shards list\n"
    assert_whole(services, admin, ids)
    shown = command(settings, "list")
    assert shown.exit_code == 0, shown.output
    lines = json.loads(command(settings, "list", "--output", "json").stdout)
    assert [(line["name"], line["state"]) for line in lines] == [
        ("primary", "primary"), ("a", "active"), ("b", "active"), ("c", "unused"),
    ]  # fmt: skip
    assert sum(line["rows"].get("audit_events", 0) for line in lines) >= len(ids)
    assert "all are at their home" in command(settings, "rebalance").stdout
    assert command(settings, "drain", "a", "--dry-run").exit_code == 0
    assert command(settings, "drain", "a").exit_code == 0
    assert command(settings, "remove", "a").exit_code == 0
    assert_whole(services, admin, ids)
    unknown = command(settings, "add", "zzz")
    assert unknown.exit_code == 1
    assert "SHARDS does not name zzz" in unknown.output


def test_the_list_names_a_shard_that_fails(services, settings):
    add(services, settings, "a")
    gone = DatabaseSettings(db_type="postgresql", db_host="127.0.0.1", db_port=1, db_password="secret word")
    made = command(settings.model_copy(update={"shards": {"a": gone}}), "list")
    assert made.exit_code == 1
    assert "a: shard a: OperationalError" in made.output
    assert "secret word" not in made.output
