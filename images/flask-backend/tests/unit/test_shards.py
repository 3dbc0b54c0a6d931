"""Shards: where rows belong, how they get there, and that no reader and no kill loses or doubles one."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from api_client import ApiClient, assert_problem
from shard_data import add, fill, places, quiet
from shard_platform import *

from backend.audit import queries
from backend.audit import service as audit
from backend.database.session import fetch
from backend.shards import membership, mover, registry
from backend.shards.mover import LeaseLost, Mover, make_plan
from backend.shards.placement import home
from backend.shards.registry import ACTIVE, DRAINING, PRIMARY
from backend.shards.tables import AUDIT_EVENTS, EVENTS, TABLES, ShardedTable

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
