"""Background jobs: acknowledged ones are done once, whoever dies meanwhile."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from api_client import assert_problem

from backend.audit.service import first_id
from backend.database.session import fetch, now
from backend.jobs import leases, schedules, store
from backend.jobs.background import Background, Loop
from backend.jobs.maintenance import BATCH
from backend.jobs.queue import JobQueue, JsonSerializer, QueueUnavailable
from backend.jobs.registry import KINDS, JobContext, JobFailed, Kind, load_kinds
from backend.jobs.runner import JobRunner
from backend.permissions import ADMINS


@pytest.fixture
def kind(monkeypatch):
    """A function that makes a kind of job for this test."""
    load_kinds()

    def make(run, **options) -> str:
        monkeypatch.setitem(KINDS, "test.kind", Kind("test.kind", run, ADMINS, **options))
        return "test.kind"

    return make


@pytest.fixture
def runner(services):
    return JobRunner(services, "worker-1", threading.Event())


@pytest.fixture
def background(services):
    """Two workers and the job system's loops, as the server embeds them."""
    running = Background(services, 2)
    running.start()
    yield running
    running.stop()


def start(client, kind: str, **arguments) -> dict:
    answer = client.post("/api/v1/jobs", json={"kind": kind, "arguments": arguments})
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/api/v1/jobs/{answer.json['id']}"
    return answer.json


def ended(client, job_id: str) -> dict:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        job = client.get(f"/api/v1/jobs/{job_id}").json
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.05)
    raise AssertionError(f"the job is still {job['state']}")


def stored(services, **changes) -> str:
    job_id = services.database.write(lambda db: store.insert(db, "test.kind", {}))
    services.database.write(lambda db: db(db.jobs.id == job_id).update(**changes) if changes else None)
    return job_id


def test_export_of_users(admin, background):
    admin.create_user(email="calc@example.com", full_name='=HYPERLINK("x")', tenant="acme")
    job = ended(admin, start(admin, "users.export")["id"])
    assert job["state"] == "succeeded", job
    assert job["result"] == {"users": 2}
    assert job["progress"] == {"done": 2, "total": 2}
    answer = admin.get(job["output"])
    assert answer.mimetype == "text/csv"
    lines = answer.text.splitlines()
    assert lines[0] == "id,email,full_name,role,tenant,is_active,created_at"
    assert "calc@example.com,\"'=HYPERLINK" in lines[2]
    assert ",viewer,acme,1," in lines[2]
    assert "password" not in answer.text


def test_import_of_users(admin, background):
    text = (
        "email,full_name,role\n"
        "new@example.com,New,viewer\n"
        "ADMIN@example.com,Twice,viewer\n"
        "x@example.com,X,root\n"
        "a,b,c,d\n"
    )
    created = start(admin, "users.import", csv=text)
    assert created["arguments"] == {}
    job = ended(admin, created["id"])
    assert job["result"] == {"created": 1, "refused": 3}
    report = admin.get(job["output"]).text.splitlines()
    assert report[1] == "2,new@example.com,created"
    assert "Another user has this e-mail address" in report[2]
    assert "role: " in report[3]
    assert admin.get("/api/v1/users?search=new@example.com").json["pagination"]["total"] == 1


def test_import_of_users_with_tenants(admin, background):
    text = (
        "email,full_name,role,tenant\n"
        "one@example.com,One,viewer,acme\n"
        "two@example.com,Two,viewer,\n"
        "short@example.com,Short,viewer\n"
        "bad@example.com,Bad,viewer,Not a tenant\n"
        "long@example.com,Long,viewer,acme,more\n"
        "blank@example.com,   ,viewer,\n"
        "turned@example.com,nimdA\u202e,viewer,\n"
    )
    job = ended(admin, start(admin, "users.import", csv=text)["id"])
    assert job["result"] == {"created": 3, "refused": 4}
    report = admin.get(job["output"]).text.splitlines()
    assert [line.rpartition(",")[2] for line in report[1:4]] == ["created"] * 3
    assert "tenant: Must be 1 to 40" in report[4]
    assert "line: Too many values." in report[5]
    assert "full_name: Must have a visible character." in report[6]
    assert "full_name: Must not contain invisible characters" in report[7]
    users = admin.get("/api/v1/users?sort=-id&per_page=3").json["users"]
    assert [user["tenant"] for user in users] == ["default", "default", "acme"]


def test_import_needs_its_header(admin, background):
    job = ended(admin, start(admin, "users.import", csv="mail\nx\n")["id"])
    assert job["state"] == "failed"
    assert "email,full_name,role" in job["error"]
    assert_problem(admin.get(f"/api/v1/jobs/{job['id']}/output"), 409)


def test_a_failure_tells_the_user_no_internals(admin, background, kind):
    job = ended(admin, start(admin, kind(lambda context: 1 / 0))["id"])
    assert job["state"] == "failed"
    assert "ZeroDivision" not in job["error"]


def test_cancel_a_running_job(admin, background, kind, monkeypatch):
    monkeypatch.setattr("backend.jobs.registry.REPORT_SECONDS", 0)
    started = threading.Event()

    def run(context: JobContext) -> None:
        while True:
            context.progress(1, 10)
            started.set()
            time.sleep(0.01)

    job = start(admin, kind(run))
    assert started.wait(60)
    assert admin.post(f"/api/v1/jobs/{job['id']}/cancel").status_code == 202
    assert ended(admin, job["id"])["state"] == "cancelled"
    assert_problem(admin.post(f"/api/v1/jobs/{job['id']}/cancel"), 409)


def test_cancel_a_queued_job(admin, runner, kind):
    ran = []
    job = start(admin, kind(ran.append))
    assert admin.post(f"/api/v1/jobs/{job['id']}/cancel").json["state"] == "cancelled"
    runner.run(job["id"])
    assert ran == []


def test_a_job_delivered_twice_runs_once(services, runner, kind):
    ran = []
    kind(lambda context: ran.append(context.job["id"]))
    job_id = stored(services)
    threads = [threading.Thread(target=runner.run, args=(job_id,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ran == [job_id]


def test_a_lost_worker_s_job_runs_again_and_its_old_worker_changes_nothing(services, runner, kind):
    kind(lambda context: context.write("second"))
    job_id = stored(services)
    assert store.claim(services.database, job_id, "dead")
    assert store.append_output(services.database, job_id, "dead", "first")
    assert store.sweep(services.database) == []
    old = now() - store.LOST_AFTER - timedelta(seconds=5)
    services.database.write(lambda db: db(db.jobs.id == job_id).update(heartbeat_at=old))
    assert store.sweep(services.database) == [job_id]
    runner.run(job_id)
    assert not store.finish(services.database, job_id, "dead", store.FAILED)
    job = services.database.read(lambda db: store.get(db, job_id))
    assert (job["state"], job["attempts"]) == ("succeeded", 2)
    assert "".join(store.content(services.database, job_id, "out")) == "second"


def test_a_job_that_kills_its_workers_fails_in_the_end(services, kind):
    old = now() - store.LOST_AFTER - timedelta(seconds=5)
    lost = {"state": "running", "worker": "dead", "heartbeat_at": old, "attempts": store.MAX_ATTEMPTS}
    job_id = stored(services, **lost)
    assert store.sweep(services.database) == []
    assert services.database.read(lambda db: store.get(db, job_id))["state"] == "failed"


def test_a_lost_message_is_sent_again(services, kind):
    job_id = stored(services, queued_at=now() - store.LOST_AFTER - timedelta(seconds=5))
    assert store.sweep(services.database) == [job_id]
    assert store.sweep(services.database) == []


def test_a_worker_that_ends_gives_its_job_back(services, kind):
    stopping = threading.Event()

    def run(context: JobContext) -> None:
        stopping.set()
        context.progress(1, 2)

    kind(run)
    job_id = stored(services)
    JobRunner(services, "worker-1", stopping).run(job_id)
    job = services.database.read(lambda db: store.get(db, job_id))
    assert (job["state"], job["attempts"]) == ("queued", 0)


def test_redis_away_refuses_new_jobs_and_nothing_else(services, admin, monkeypatch, settings, kind):
    away = JobQueue(settings.model_copy(update={"redis_host": "127.0.0.1", "redis_port": 1}))
    monkeypatch.setattr(services.queue, "check", away.check)
    answer = admin.post("/api/v1/jobs", json={"kind": kind(print)})
    problem = assert_problem(answer, 503)
    assert problem["type"] == "urn:triptych:problem:queue-unavailable"
    assert answer.headers["Retry-After"]
    assert admin.get("/api/v1/jobs").json["pagination"]["total"] == 0
    with pytest.raises(QueueUnavailable):
        away.send("x")


def test_refused_requests(admin, as_role, kind):
    kind(print, arguments=load_kinds()["users.import"].arguments)
    assert_problem(admin.post("/api/v1/jobs", json={"kind": "nothing"}), 422)
    assert_problem(admin.post("/api/v1/jobs", json={"kind": "cleanup.sessions"}), 422)
    assert_problem(admin.post("/api/v1/jobs", json={"kind": "users.import"}), 422)
    assert_problem(admin.post("/api/v1/jobs", json={"kind": "users.export", "arguments": {"a": 1}}), 422)
    assert_problem(admin.post("/api/v1/jobs", json={"kind": "users.export", "arguments": []}), 422)
    for text in ("email\0", "email\ud800", "email\x1b", "", "x" * 900_001):
        refused = {"kind": "users.import", "arguments": {"csv": text}}
        assert "csv" in assert_problem(admin.post("/api/v1/jobs", json=refused), 422)["errors"]["json"]["arguments"]
    maintainer = as_role("maintainer")
    assert_problem(maintainer.post("/api/v1/jobs", json={"kind": "users.export"}), 403)
    assert maintainer.get("/api/v1/jobs").json["kinds"] == []
    assert "users.export" in admin.get("/api/v1/jobs").json["kinds"]
    job = start(admin, "users.export")
    assert_problem(maintainer.get(f"/api/v1/jobs/{job['id']}/output"), 403)
    assert_problem(maintainer.post(f"/api/v1/jobs/{job['id']}/cancel"), 403)


def test_filters(admin, kind):
    job = start(admin, kind(print))
    assert [row["id"] for row in admin.get("/api/v1/jobs?state=queued&kind=test.kind").json["jobs"]] == [job["id"]]
    assert admin.get("/api/v1/jobs?state=running").json["jobs"] == []
    assert_problem(admin.get("/api/v1/jobs?state=odd"), 422)


def test_a_schedule_makes_one_job_per_period(services):
    clock = 1_800_000_000.0
    first = schedules.due(services.database, clock)
    assert len(first) == sum(kind.every_seconds > 0 for kind in load_kinds().values()) > 1
    assert schedules.due(services.database, clock + 1) == []
    assert schedules.due(services.database, clock + 3600)


def test_clean_up_of_sessions(services, admin, runner):
    old = now() - timedelta(days=3)

    def work(db) -> None:
        user_id = fetch(db, "SELECT id FROM users")[0]["id"]
        for number in range(BATCH + 3):
            db.sessions.insert(id=f"old-{number}", user_id=user_id, created_at=old, expires_at=old)

    services.database.write(work)
    job_id = services.database.write(lambda db: store.insert(db, "cleanup.sessions", {}))
    runner.run(job_id)
    assert services.database.read(lambda db: store.get(db, job_id))["result"] == {"deleted": BATCH + 3}
    assert admin.get("/api/v1/auth/me").status_code == 200


def test_one_process_holds_a_lease(services):
    database = services.database
    assert leases.acquire(database, "loop", "one", 30)
    assert leases.acquire(database, "loop", "one", 30)
    assert not leases.acquire(database, "loop", "two", 30)
    leases.release(database, "loop", "one")
    assert leases.acquire(database, "loop", "two", -1)
    assert leases.acquire(database, "loop", "one", 30)


def test_a_loop_that_fails_goes_on(services):
    runs, thrice = [], threading.Event()

    def work() -> None:
        runs.append(1)
        if len(runs) == 3:
            thrice.set()
        raise JobFailed("odd")

    running = Background(services, 1, [Loop("test", work, 0.01, "test")])
    running.start()
    try:
        assert thrice.wait(60)
    finally:
        running.stop()


def test_messages_hold_no_code():
    serializer = JsonSerializer()
    message = serializer.deserialize(b'["id", "run-job", ["x"]]')
    assert (message.name, message.args) == ("run-job", ("x",))
    assert serializer.deserialize(serializer.serialize(message)) == message


def test_export_of_the_audit_log(admin, background):
    admin.create_user(email="seen@example.com")
    job = ended(admin, start(admin, "audit.export", action="users")["id"])
    assert job["state"] == "succeeded", job
    lines = [json.loads(line) for line in admin.get(job["output"]).text.splitlines()]
    assert [line["action"] for line in lines] == ["users.create"] * 2
    assert job["result"]["events"] == 2
    assert admin.get("/api/v1/audit?action=jobs").json["events"][0]["target_id"] == job["id"]


def test_audit_events_go_after_their_time_and_no_earlier(admin, services, runner, monkeypatch):
    old = first_id(datetime.now(UTC) - timedelta(days=31))
    fields = {"actor": "x", "credential": "", "action": "test.old", "target_type": "", "target_id": "", "address": ""}

    def work(db) -> None:
        db.audit_events.insert(id=old, occurred_at=now(), request_id="", details="{}", **fields)

    services.database.write(work)

    def clean() -> dict:
        job_id = services.database.write(lambda db: store.insert(db, "cleanup.audit", {}))
        runner.run(job_id)
        return services.database.read(lambda db: store.get(db, job_id))["result"]

    assert clean()["deleted"] == 0
    monkeypatch.setattr(services.settings, "audit_retention_days", 30)
    assert clean() == {"deleted": 1}
    assert clean() == {"deleted": 0}
    assert admin.get("/api/v1/audit").json["events"]
