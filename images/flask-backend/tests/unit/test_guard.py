"""The guard's rules, and the reconciler that brings them to real gRPC servers."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from api_client import ApiClient, assert_problem, make_settings
from guard_node import GuardNode

from backend.app import create_app
from backend.database.session import fetch, now
from backend.grpc_gen.guard.v1 import guard_pb2 as pb
from backend.guard import rules
from backend.guard.reconciler import Reconciler

DENY = {"prefix": "192.0.2.0/24", "action": "deny"}
LIMIT = {"packets_per_second": 1000, "packets_burst": 100, "syns_per_second": 0, "syns_burst": 0}


@pytest.fixture
def node():
    with GuardNode() as running:
        yield running


@pytest.fixture
def guarded(app, settings):
    """A function that makes an application whose fast path is a node."""

    def make(node: GuardNode):
        other = create_app(make_settings(**settings.model_dump() | {"go_backend_target": node.target}))
        return other.extensions["backend"], ApiClient(other).login("admin@example.com", "admin")

    return make


def create(client, **fields) -> dict:
    answer = client.post("/api/v1/guard/rules", json=DENY | fields)
    assert answer.status_code == 201, answer.text
    return answer.json


def test_create_read_change_delete(admin):
    before = admin.get("/api/v1/guard/policy").json["revision"]
    rule = create(admin, protocol=17, ports=[{"first": 53, "last": 53}], comment="reflection")
    assert rule["owner"] == "admin@example.com"
    path = f"/api/v1/guard/rules/{rule['id']}"
    changed = admin.patch(path, json={"action": "rate", "limit": LIMIT}).json
    assert (changed["action"], changed["limit"]) == ("rate", LIMIT)
    back = admin.patch(path, json={"action": "deny", "count_only": True}).json
    assert (back["limit"], back["count_only"]) == (None, True)
    listed = admin.get("/api/v1/guard/rules?search=reflec").json
    assert listed["rules"] == [back]
    assert listed["revision"] == before + 3
    assert admin.delete(path).status_code == 204
    assert_problem(admin.get(path), 404)
    assert_problem(admin.delete(path), 404)
    assert admin.get("/api/v1/guard/policy").json["revision"] == before + 4
    assert admin.get("/api/v1/audit?action=guard").json["events"][0]["action"] == "guard.delete_rule"


@pytest.mark.parametrize(
    "given, stored",
    [("192.0.2.7", "192.0.2.7/32"), ("2001:DB8:0::/32", "2001:db8::/32"), ("0.0.0.0/0", "0.0.0.0/0"), ("::/0", "::/0")],
)
def test_prefixes_have_one_form(admin, given, stored):
    assert create(admin, prefix=given)["prefix"] == stored


@pytest.mark.parametrize(
    "change",
    [
        {"prefix": "192.0.2.1/24"},
        {"prefix": "192.0.2.0/33"},
        {"prefix": "192.0.2"},
        {"prefix": "fe80::1%eth0"},
        {"prefix": "::ffff:192.0.2.0/120"},
        {"prefix": "example.com"},
        {"prefix": ""},
        {"prefix": 3221225985},
        {"protocol": 256},
        {"protocol": True},
        {"protocol": "6"},
        {"ports": [{"first": 53, "last": 53}]},
        {"protocol": 1, "ports": [{"first": 53, "last": 53}]},
        {"protocol": 6, "ports": [{"first": 0, "last": 1}]},
        {"protocol": 6, "ports": [{"first": 2, "last": 1}]},
        {"protocol": 6, "ports": [{"first": 1, "last": 65536}]},
        {"protocol": 6, "ports": [{"first": 1, "last": 1}] * 9},
        {"action": "drop"},
        {"action": "rate"},
        {"limit": LIMIT},
        {"action": "rate", "limit": LIMIT | {"packets_burst": 9}},
        {"action": "rate", "limit": {"packets_per_second": 0}},
        {"action": "rate", "limit": LIMIT | {"packets_per_second": 10_000_001}},
        {"ttl_seconds": 0},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "9999-12-31T23:59:59Z"},
        {"expires_at": "0001-01-01T00:00:00+14:00"},
        {"ttl_seconds": 5, "expires_at": "2030-01-01T00:00:00Z"},
        {"comment": "x" * 257},
        {"owner": ""},
        {"owner": " "},
        {"comment": "a\u202eb"},
        {"id": "mine"},
    ],
    ids=str,
)
def test_refused_rules(admin, change):
    assert_problem(admin.post("/api/v1/guard/rules", json=DENY | change), 422)
    assert admin.get("/api/v1/guard/rules").json["rules"] == []


def test_a_change_must_fit_the_whole_rule(admin):
    rule = create(admin, protocol=6, ports=[{"first": 80, "last": 80}])
    assert_problem(admin.patch(f"/api/v1/guard/rules/{rule['id']}", json={"protocol": 1}), 422)
    assert_problem(admin.patch(f"/api/v1/guard/rules/{rule['id']}", json={"action": "rate"}), 422)


def test_contradictions_and_repetitions(admin):
    rule = create(admin)
    problem = assert_problem(admin.post("/api/v1/guard/rules", json=DENY | {"action": "allow"}), 409)
    assert "contradicts" in problem["detail"] and rule["id"] in problem["detail"]
    assert "repeats" in assert_problem(admin.post("/api/v1/guard/rules", json=DENY), 409)["detail"]
    # An exception for a port, a trial that only counts and a narrower prefix are fine.
    create(admin, action="allow", protocol=6, ports=[{"first": 443, "last": 443}])
    create(admin, action="allow", count_only=True)
    other = create(admin, prefix="192.0.2.0/25", action="allow")
    assert_problem(admin.patch(f"/api/v1/guard/rules/{other['id']}", json={"prefix": DENY["prefix"]}), 409)


def test_of_contradicting_rules_made_at_once_one_stays(app, admin):
    answers = []

    def one(action: str) -> None:
        client = ApiClient(app)
        client.tokens = admin.tokens
        answers.append(client.post("/api/v1/guard/rules", json=DENY | {"action": action}).status_code)

    threads = [threading.Thread(target=one, args=(action,)) for action in ("allow", "deny") * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201] + [409] * 7


def test_roles(as_role):
    viewer, maintainer = as_role("viewer"), as_role("maintainer")
    assert_problem(viewer.post("/api/v1/guard/rules", json=DENY), 403)
    create(maintainer)
    assert len(viewer.get("/api/v1/guard/rules").json["rules"]) == 1


def test_a_rule_ends(admin, services):
    rule = create(admin, ttl_seconds=3600)
    end = datetime.fromisoformat(rule["expires_at"])
    assert abs((end - datetime.now(UTC)).total_seconds() - 3600) < 60
    past = now() - timedelta(seconds=1)
    services.database.write(lambda db: db(db.guard_rules.id == rule["id"]).update(expires_at=past))
    assert admin.get("/api/v1/guard/rules").json["rules"] == []
    assert_problem(admin.get(f"/api/v1/guard/rules/{rule['id']}"), 404)
    before = admin.get("/api/v1/guard/policy").json["revision"]
    create(admin)
    assert rules.expire(services.database) == 1
    assert rules.expire(services.database) == 0
    assert admin.get("/api/v1/guard/policy").json["revision"] == before + 2


def test_policy(admin):
    changed = admin.put("/api/v1/guard/policy", json={"default_action": "drop", "source_limit": LIMIT})
    assert changed.status_code == 200, changed.text
    assert admin.get("/api/v1/guard/policy").json == changed.json
    assert changed.json["source_limit"] == LIMIT
    cleared = admin.put("/api/v1/guard/policy", json={"default_action": "pass"}).json
    assert cleared["source_limit"] is None
    assert_problem(admin.put("/api/v1/guard/policy", json={"default_action": "reject"}), 422)


def test_not_installed(admin, services):
    create(admin)
    status = admin.get("/api/v1/guard/status").json
    assert (status["state"], status["nodes"]) == ("not_installed", [])
    assert admin.get("/api/v1/guard/counters").json == {"state": "not_installed", "nodes": 0, "counters": []}
    Reconciler(services).step()


def test_a_revision_reaches_the_node(guarded, node):
    services, admin = guarded(node)
    deny = create(admin, protocol=6, ports=[{"first": 80, "last": 81}], ttl_seconds=600, comment="c")
    create(admin, prefix="2001:db8::/32", action="rate", limit=LIMIT, count_only=True)
    admin.put("/api/v1/guard/policy", json={"default_action": "drop", "source_limit": LIMIT})
    assert admin.get("/api/v1/guard/status").json["nodes"][0]["up_to_date"] is False
    reconciler = Reconciler(services)
    reconciler.step()
    reconciler.step()
    assert node.applied == [admin.get("/api/v1/guard/policy").json["revision"]]
    sent = node.rules[deny["id"]]
    assert (sent.prefix, sent.protocol, sent.action, sent.comment) == ("192.0.2.0/24", 6, pb.ACTION_DENY, "c")
    assert [(ports.first, ports.last) for ports in sent.ports] == [(80, 81)]
    assert sent.expires_at.ToDatetime(UTC) == datetime.fromisoformat(deny["expires_at"])
    assert node.policy.default_action == pb.DEFAULT_ACTION_DROP
    assert node.policy.source_limit.packets_per_second == 1000
    status = admin.get("/api/v1/guard/status").json
    (shown,) = status["nodes"]
    assert status["state"] == "running"
    assert (shown["node"], shown["enforcing"], shown["up_to_date"], shown["rules"]) == ("worker2", True, True, 2)
    assert shown["counters"] == [{"verdict": "drop_denied", "protocol": "udp", "packets": 7, "bytes": 700}]
    assert shown["top_sources"][0]["source"] == "192.0.2.1"
    counters = admin.get("/api/v1/guard/counters").json
    assert counters["nodes"] == 1
    assert {"rule_id": deny["id"], "packets": 3, "bytes": 300, "over_limit_packets": 0} in counters["counters"]


def test_a_restarted_node_is_repaired(guarded, node):
    services, admin = guarded(node)
    rule = create(admin)
    reconciler = Reconciler(services)
    reconciler.step()
    node.restart()
    reconciler.step()
    assert set(node.rules) == {rule["id"]}
    assert len(node.applied) == 2


def test_a_node_ahead_of_a_restored_database_is_set_back(guarded, node):
    services, admin = guarded(node)
    create(admin)
    node.revision = 10_000_000
    Reconciler(services).step()
    assert node.revision == admin.get("/api/v1/guard/policy").json["revision"]


def test_a_node_that_is_away_gets_its_rules_when_it_is_back(guarded, node):
    services, admin = guarded(node)
    create(admin)
    reconciler = Reconciler(services)
    node.__exit__()
    reconciler.step()
    status = admin.get("/api/v1/guard/status").json
    assert status["state"] == "unavailable"
    assert "UNAVAILABLE" in status["nodes"][0]["error"]
    assert admin.get("/api/v1/guard/counters").json["state"] == "unavailable"
    node.__enter__()
    for _ in range(50):
        reconciler.step()
        if node.applied:
            break
        threading.Event().wait(0.1)
    assert len(node.rules) == 1


def test_a_refusal_is_counted_and_tried_again(guarded, node):
    services, admin = guarded(node)
    create(admin)
    node.refuse = "malformed rule"
    reconciler = Reconciler(services)
    reconciler.step()
    assert node.applied == []
    node.refuse = ""
    reconciler.step()
    assert len(node.applied) == 1
    registry = services.metrics.registry
    assert registry.get_sample_value("guard_revision_pushes_total", {"outcome": "failed"}) == 1
    assert registry.get_sample_value("guard_revision_pushes_total", {"outcome": "applied"}) == 1


def test_thousands_of_rules_go_in_several_messages(guarded, node):
    services, _admin = guarded(node)

    def work(db) -> None:
        rules._next_revision(db)
        fields = {"protocol": 0, "ports": "", "action": "deny", "owner": "test", "comment": "", "count_only": 0}
        for number in range(2500):
            prefix = f"10.{number // 256}.{number % 256}.0/24"
            db.guard_rules.insert(id=f"{number:032x}", prefix=prefix, **fields, created_at=now(), updated_at=now())

    services.database.write(work)
    Reconciler(services).step()
    assert len(node.rules) == 2500


def test_changes_of_a_node_are_events(guarded, node):
    services, _admin = guarded(node)
    reconciler = Reconciler(services)
    reconciler.step()
    reconciler.step()
    sql = "SELECT payload FROM events WHERE kind = 'guard.status'"
    rows = services.database.read(lambda db: fetch(db, sql))
    assert len(rows) == 1
    assert "enforcing" in rows[0]["payload"]


def test_the_request_id_goes_along(guarded, node):
    _, admin = guarded(node)
    admin.get("/api/v1/guard/status", headers={"X-Request-ID": "trace-of-a-request"})
    assert "trace-of-a-request" in node.metadata


def test_drops_are_shown_live(guarded, node):
    services, admin = guarded(node)
    answer = admin.get("/api/v1/guard/drops", buffered=False)
    assert answer.mimetype == "text/event-stream"
    text = ""
    for piece in answer.iter_encoded():
        text += piece.decode()
        if "event: lost" in text:
            break
    answer.close()
    assert '"verdict":"drop_denied","rule_id":"r","source":"192.0.2.1"' in text
    assert '"events":4' in text
    assert services.streams.open == 0


def test_drops_need_a_fast_path(admin):
    problem = assert_problem(admin.get("/api/v1/guard/drops"), 503)
    assert problem["type"] == "urn:triptych:problem:fast-path-not-installed"
