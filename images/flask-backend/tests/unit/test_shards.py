"""Shards: where rows belong, how they get there, and that no reader and no kill loses or doubles one."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace

import pytest
from api_client import ApiClient, assert_problem, make_settings, reset
from shard_data import add, arrivals, clean, empty, fill, places, quiet
from unit.test_transfer import environment

from backend.app import create_app
from backend.audit import queries
from backend.audit import service as audit
from backend.database import catalog
from backend.database.errors import DatabaseUnavailable
from backend.database.migrate import MigrationError, migrate
from backend.database.migrations import SHARDS_VERSION, required_version
from backend.database.session import fetch
from backend.database_settings import DatabaseSettings
from backend.doctor import OK, WRONG, examine
from backend.shards import cluster, membership, mover, registry
from backend.shards.cluster import ShardUnavailable
from backend.shards.membership import ShardError
from backend.shards.mover import LeaseLost, Mover, make_plan
from backend.shards.placement import home
from backend.shards.registry import ACTIVE, DRAINING, PRIMARY
from backend.shards.tables import AUDIT_EVENTS, EVENTS, TABLES, ShardedTable
from backend.transfer.dump import TransferError
from backend.transfer.exporter import export, verify
from backend.transfer.importer import import_file

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def databases(tmp_path_factory) -> dict[str, dict]:
    """Settings of a primary (an empty name) and of three shards; the integration tests mix engines."""
    folder = tmp_path_factory.mktemp("shards")
    return {name: {"db_type": "sqlite", "db_sqlite_path": folder / f"{name}.db"} for name in (PRIMARY, *NAMES)}


@pytest.fixture(scope="module")
def settings(databases):
    shards = {name: DatabaseSettings(**databases[name]) for name in NAMES}
    return make_settings(**databases[PRIMARY], shards=shards)


@pytest.fixture(scope="module")
def migrated_app(settings):
    migrate(settings, timeout=60, progress=quiet)
    return create_app(settings)


@pytest.fixture
def app(migrated_app):
    empty(migrated_app)
    reset(migrated_app)
    return migrated_app


def listed(client: ApiClient, **filters) -> list[str]:
    """Ids of all events, page by page."""
    found, cursor = [], {}
    while cursor is not None:
        page = client.get("/api/v1/audit", query_string={"limit": 77, "action": "shards.test"} | filters | cursor)
        assert page.status_code == 200, page.text
        found += [event["id"] for event in page.json["events"]]
        cursor = {"cursor": page.json["next_cursor"]} if page.json["next_cursor"] else None
    return found


def exported(client: ApiClient, **filters) -> tuple[list[str], int]:
    """Ids of an export, and what its header promises."""
    answer = client.get("/api/v1/audit/export", query_string={"action": "shards.test"} | filters)
    assert answer.status_code == 200, answer.text
    return [json.loads(line)["id"] for line in answer.text.splitlines()], int(answer.headers["X-Total-Count"])


def assert_whole(services, client, ids: set[str]) -> None:
    """Every event is in one database, at its home, and readers see each once, in order."""
    layout = services.shards.layout()
    for table in TABLES:
        at = places(services, table.name)
        assert Counter(key for rows in at.values() for key in rows).most_common(1)[0][1] == 1
        for name, rows in at.items():
            wrong = {tenant for tenant in rows.values() if tenant.startswith("t") and layout.home(tenant) != name}
            assert not wrong, (table.name, name, wrong)
    assert arrivals(services) == 0
    assert listed(client) == sorted(ids, reverse=True)
    assert exported(client) == (sorted(ids), len(ids))


# ---- where rows belong


def test_a_new_shard_takes_its_share_and_nothing_else_moves():
    tenants = [f"tenant-{number}" for number in range(20_000)]
    for count in (1, 2, 3, 5, 8):
        before = {tenant: home(tenant, [f"s{n}" for n in range(count)]) for tenant in tenants}
        after = {tenant: home(tenant, [f"s{n}" for n in range(count + 1)]) for tenant in tenants}
        moved = [tenant for tenant in tenants if before[tenant] != after[tenant]]
        assert {after[tenant] for tenant in moved} == {f"s{count}"}
        print(f"{count} + 1 shards: {100 * len(moved) / len(tenants):.1f} % move, 1/n is {100 / (count + 1):.1f} %")
        assert len(moved) / len(tenants) == pytest.approx(1 / (count + 1), rel=0.05)


def test_without_shards_the_primary_is_home():
    assert home("x", []) == PRIMARY


def test_rows_only_move_forwards_in_the_order_of_reading(services, settings):
    """Whatever is added and drained, in any order: the argument on which readers without locks rest."""
    tenants = [f"t{number}" for number in range(300)]
    layout, at = registry.Layout(), dict.fromkeys(tenants, PRIMARY)
    for name, state in (
        ("a", ACTIVE), ("b", ACTIVE), ("c", ACTIVE), ("a", DRAINING), ("d", ACTIVE), ("b", DRAINING), ("a", ""),
        ("a", ACTIVE), ("c", DRAINING), ("d", DRAINING), ("a", DRAINING),
    ):  # fmt: skip
        if state:
            layout = membership.considered(layout, name, state)
        else:
            layout = registry.Layout(tuple(member for member in layout.members if member.name != name))
        order = layout.sources()
        # Some moves of each step are left to a later one, as after a kill; a shard is removed only when empty.
        for number, tenant in enumerate(tenants):
            target = layout.home(tenant)
            if target != at[tenant]:
                assert order.index(at[tenant]) < order.index(target), (name, state)
                if number % 3 or ("a" in (at[tenant], name) and state == DRAINING):
                    at[tenant] = target


# ---- add, drain, remove


def test_one_shard_after_another_and_back(app, services, settings, admin):
    ids = fill(services, 60, 5)
    assert add(services, settings, "a") >= 600
    assert_whole(services, admin, ids)
    total = len(ids)
    for count, name in ((2, "b"), (3, "c")):
        before = places(services)
        plan = make_plan(
            services.shards, membership.considered(services.shards.layout(), name, ACTIVE), services.shards.layout()
        )
        add(services, settings, name)
        assert_whole(services, admin, ids)
        after = places(services)
        moved = [key for old in before for key in before[old] if key in ids and key in after[name]]
        others = [key for old in before for key in before[old] if key in ids and key not in after[old] | after[name]]
        print(f"{count - 1} + 1 shards: {100 * len(moved) / total:.1f} % of the rows moved, 1/n is {100 / count:.1f} %")
        assert 0.5 / count < len(moved) / total < 1.6 / count
        assert not others
        assert plan.moving_rows >= 2 * len(moved)
    for name in NAMES:
        membership.drain(services.shards, name)
        Mover(services.shards).run()
        assert_whole(services, admin, ids)
        membership.remove(services.shards, name, lost=False)
        assert_whole(services, admin, ids)
    assert ids <= places(services)[PRIMARY].keys()
    for action in ("shards.add", "shards.drain", "shards.remove"):
        assert len(listed(admin, action=action)) == 3


def test_rows_are_what_they_were(services, settings):
    fill(services, 10, 3, "back\\slash ' \" ; -- %s {y}\nline\ttab 😀 ß ｆ")
    audit_id = services.database.write(lambda db: audit.record(db, "users.create", "user", 7, {"n": None, "é": [1]}))

    def rows(table: ShardedTable) -> list:
        found = services.shards.gather(
            lambda database: database.read(lambda db: fetch(db, f"SELECT {', '.join(table.columns)} FROM {table.name}"))
        )
        return sorted((list(map(str, row.values())) for part in found for row in part), key=str)

    before = [rows(table) for table in TABLES]
    add(services, settings, "a", "b")
    added = {row[0] for row in rows(AUDIT_EVENTS)} - {row[0] for row in before[0]}
    assert [row for row in rows(AUDIT_EVENTS) if row[0] not in added] == before[0]
    old = {row[0] for row in before[1]}
    assert [row for row in rows(EVENTS) if row[0] in old] == before[1]
    assert audit_id in {row[0] for row in rows(AUDIT_EVENTS)}


def test_a_user_s_tenant_decides(app, services, settings, admin):
    add(services, settings, "a", "b", "c")
    admin.create_user(email="one@example.com", role="admin", tenant="acme-1")
    one = ApiClient(app).login("one@example.com", "password of a user")
    one.create_user(email="two@example.com")
    (event,) = one.get("/api/v1/audit?action=users.create&tenant=acme-1").json["events"]
    assert event["tenant"] == "acme-1"
    assert event["id"] in places(services)[PRIMARY]
    Mover(services.shards).run()
    assert event["id"] in places(services)[home("acme-1", NAMES)]
    assert one.get("/api/v1/audit?action=users.create&tenant=acme-1").json["events"] == [event]
    assert_problem(admin.post("/api/v1/users", json={"tenant": "Not One"}), 422)


def test_a_tenant_s_events_are_asked_of_its_shard_alone(services, settings, admin, monkeypatch):
    fill(services, 30, 2)
    add(services, settings, "a", "b", "c")
    asked = []
    monkeypatch.setattr(
        services.shards, "ask", lambda name, database, read: asked.append(name) or read(database), raising=True
    )
    assert len(listed(admin, tenant="t7")) == 2
    assert set(asked) == {PRIMARY, home("t7", NAMES)}


def test_events_that_are_not_dispatched_or_young_stay(services, settings):
    services.database.write(lambda db: audit.record(db, "tests.young"))
    add(services, settings, "a")
    assert "tests.young" in str(services.database.read(lambda db: fetch(db, "SELECT kind FROM events")))
    services.database.write(lambda db: db.executesql("UPDATE events SET created_at = '2020-01-01 00:00:00'"))
    Mover(services.shards).run()
    assert services.database.read(EVENTS.census) == {}
    assert services.database.read(lambda db: fetch(db, "SELECT COUNT(*) AS n FROM events"))[0]["n"] > 0


def test_a_stream_that_comes_back_gets_events_from_shards(services, settings):
    fill(services, 40, 2)
    first = min(event["id"] for event in services.events.since(0))
    before = services.events.since(first)
    add(services, settings, "a", "b")
    assert services.events.since(first)[: len(before)] == before


# ---- killed at any moment

STEPS = ("store", "delete", "confirm")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("way", ["add", "drain"])
def test_killed_at_each_step(services, settings, admin, monkeypatch, step, after, way):
    monkeypatch.setattr(mover, "BATCH", 7)
    ids = fill(services, 20, 3)
    add(services, settings, "a")
    add(services, settings, "b")
    if way == "add":
        membership.add(services.shards, settings, "c", 30, quiet)
    else:
        membership.drain(services.shards, "b")
    for _ in range(4):
        with monkeypatch.context() as patch:
            kill_at(patch, step, after)
            with pytest.raises(Killed):
                Mover(services.shards).run()
        # Readers see everything once, though the batch may be in two databases.
        assert listed(admin) == sorted(ids, reverse=True)
        lines, promised = exported(admin)
        assert lines == sorted(ids)
        assert promised <= len(ids)
        services.database.write(lambda db: db(db.leases.name == mover.LEASE).delete())
    Mover(services.shards).run()
    assert_whole(services, admin, ids)


class Killed(BaseException):
    pass


def kill_at(patch, step: str, after: bool) -> None:
    """End the mover in its next but one transaction of this kind, before it begins or after its commit."""
    original, calls = Mover._write, Counter()

    def write(self, name, database, work) -> None:
        kinds = {"delete": "table.delete", "confirm": "table.confirm", "store": "table.store"}
        kind = next(key for key, text in kinds.items() if text.partition(".")[2] in work.__code__.co_names)
        calls[kind] += 1
        fatal = kind == step and calls[kind] == 2
        if fatal and not after:
            raise Killed
        original(self, name, database, work)
        if fatal:
            raise Killed

    patch.setattr(Mover, "_write", write)
    patch.setattr(Mover, "_give_back", lambda self: None)


def test_readers_while_rows_move(app, services, settings, monkeypatch):
    """Pages, exports and counts during additions and drains: never a row less or twice, never a count too high."""
    monkeypatch.setattr(mover, "BATCH", 20)
    monkeypatch.setattr(queries, "EXPORT_BATCH", 100)
    ids = fill(services, 40, 15)
    stop, wrong, reads = threading.Event(), [], Counter()

    def read(kind) -> None:
        client = ApiClient(app).login("admin@example.com", "admin")
        while not stop.is_set():
            try:
                if kind == "list" and listed(client) != sorted(ids, reverse=True):
                    wrong.append("list")
                if kind == "export":
                    lines, promised = exported(client)
                    if lines != sorted(ids) or promised > len(ids):
                        wrong.append((len(lines), promised))
                reads[kind] += 1
            except AssertionError as error:
                wrong.append(str(error)[:200])

    threads = [threading.Thread(target=read, args=(kind,)) for kind in ("list", "export")]
    for thread in threads:
        thread.start()
    try:
        for name in NAMES:
            add(services, settings, name)
        for name in NAMES:
            membership.drain(services.shards, name)
            Mover(services.shards).run()
            membership.remove(services.shards, name, lost=False)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong, wrong[:5]
    assert min(reads["list"], reads["export"]) >= 3, reads


def test_one_mover_at_a_time(services, settings):
    fill(services, 5, 1)
    membership.add(services.shards, settings, "a", 30, quiet)
    first = Mover(services.shards)
    first._hold()
    with pytest.raises(LeaseLost):
        Mover(services.shards).run()
    mover.move_in_background(services.shards)  # leaves it to the other
    assert places(services)["a"] == {}
    first._give_back()
    mover.move_in_background(services.shards)
    assert len(places(services)["a"]) >= 5


def test_a_layout_that_changes_on_the_way(services, settings, admin, monkeypatch):
    monkeypatch.setattr(mover, "BATCH", 5)
    ids = fill(services, 20, 2)
    membership.add(services.shards, settings, "a", 30, quiet)
    seen = []

    def another(moved: int, planned: int) -> None:
        if not seen:
            seen.append(moved)
            membership.add(services.shards, settings, "b", 30, quiet)

    Mover(services.shards, another).run()
    assert_whole(services, admin, ids)
    assert all(member.settled for member in services.shards.layout().members)


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
    from backend.jobs import maintenance

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
    from click.testing import CliRunner

    from backend.cli import cli

    variables = environment(settings) | {"SHARDS": ",".join(settings.shards)}
    for name, shard in settings.shards.items():
        own = environment(shard)
        variables |= {f"SHARD_{name.upper()}_{key}": own[key] for key in own if key.startswith("DB_")}
    return CliRunner().invoke(cli, ["shards", *arguments], env=variables)


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
