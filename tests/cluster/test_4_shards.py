"""A shard as the operator's page says: events move to it and back, and the audit log stays whole and in order."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator

import pytest

import release
from support import Api, lasting

pytestmark = pytest.mark.functional
NAME, DATABASE, SECRET = "a", "shard_a", "shard-a"
SHARD = {
    "name": NAME, "type": "postgresql", "host": "postgresql",
    "database": DATABASE, "user": DATABASE, "existingSecret": SECRET,
}  # fmt: skip
PASSWORD = "correct horse battery"
PSQL = ("psql", "--username=postgres", "--quiet", "--set=ON_ERROR_STOP=1")
TENANTS = ("acme", "globex", "initech")


def upgrade(target: release.Target, *shards: dict) -> None:
    values = json.dumps({"flask-backend": {"shards": shards}})
    target.helm(
        "upgrade", release.RELEASE, str(release.ROOT), *release.value_arguments(), "--values", "-",
        "--wait", "--wait-for-jobs", "--timeout", "5m", input=values,
    )  # fmt: skip


@pytest.fixture(scope="module")
def database(platform: release.Target) -> Iterator[None]:
    """An empty database on the running PostgreSQL with a user of its own, and the Secret of its password."""
    password = secrets.token_hex(16)

    def psql(*commands: str) -> None:
        arguments = [argument for command in commands for argument in ("--command", command)]
        platform.kubectl("exec", "postgresql-0", "--", *PSQL, *arguments)

    psql(f"CREATE ROLE {DATABASE} LOGIN PASSWORD '{password}'", f"CREATE DATABASE {DATABASE} OWNER {DATABASE}")
    platform.kubectl("create", "secret", "generic", SECRET, f"--from-literal=password={password}")
    yield
    psql(f"DROP DATABASE {DATABASE} WITH (FORCE)", f"DROP ROLE {DATABASE}")
    platform.kubectl("delete", "secret", SECRET)


@pytest.fixture(scope="module")
def backend(platform: release.Target, kube_cluster, database: None) -> Iterator[Callable[..., str]]:
    """A function that runs `backend` in a pod which has the shard among its values; as before afterwards."""
    upgrade(platform, SHARD)
    # By name: the Deployment's may be the one before, which still ends.
    [pod] = lasting(kube_cluster.kube_client, release.NAMESPACE, "flask-backend")
    yield lambda *arguments: platform.kubectl("exec", pod.name, "--", "backend", *arguments)
    upgrade(platform)


def rows(backend: Callable[..., str]) -> dict[str, int]:
    """Audit events in each database that is in use."""
    lines = json.loads(backend("shards", "list", "--output=json"))
    return {line["name"]: line["rows"]["audit_events"] for line in lines if line["state"] != "unused"}


def exported(admin: Api, **filters: str) -> list[dict]:
    """The audit log as an auditor gets it: whole, each event once, in order."""
    answer = admin.http.get("/audit/export", params=filters).raise_for_status()
    events = [json.loads(line) for line in answer.text.splitlines()]
    ids = [event["id"] for event in events]
    assert ids == sorted(set(ids))
    assert len(ids) >= int(answer.headers["X-Total-Count"])
    return events


def test_a_shard_comes_and_goes_and_the_audit_log_stays_whole(platform, admin: Api, backend):
    users = []
    for tenant in TENANTS:
        body = {"email": f"{tenant}@example.com", "full_name": tenant, "role": "viewer", "password": PASSWORD}
        users.append(admin.http.post("/users", json=body | {"tenant": tenant}).raise_for_status().json())
        Api.log_in(platform.url, body["email"], PASSWORD)
    before = exported(admin)
    assert rows(backend).keys() == {"primary"}, "a shard that values name is not in use before it is added"

    preview = re.search(
        r"^audit_events: primary → a: (\d+) rows", backend("shards", "add", NAME, "--dry-run"), re.MULTILINE
    )
    assert preview and int(preview[1]) >= len(before)
    assert "all are at their home" in backend("shards", "add", NAME)
    assert rows(backend)[NAME] >= len(before)
    sharded = exported(admin)
    assert sharded[: len(before)] == before
    assert "shards.add" in [event["action"] for event in sharded[len(before) :]]
    for tenant in TENANTS:
        assert {event["actor"] for event in exported(admin, tenant=tenant)} == {f"{tenant}@example.com"}
    page = admin.http.get("/audit", params={"limit": 200}).raise_for_status().json()["events"]
    older = [event for event in reversed(exported(admin)) if event["id"] <= page[0]["id"]]
    assert page == older[: len(page)], "pages tell the same as the export, newest first"
    assert re.search(r"^ok +shard a ", backend("doctor"), re.MULTILINE)

    assert "all are at their home" in backend("shards", "drain", NAME)
    backend("shards", "remove", NAME)
    after = exported(admin)
    assert after[: len(sharded)] == sharded
    assert [event["action"] for event in after[len(before) :] if event["target_type"] == "shard"] == [
        "shards.add", "shards.drain", "shards.remove"
    ]  # fmt: skip
    for user in users:
        admin.delete_user(user)
