"""The database pod dies under writes: honest 503s, no acknowledged write lost, recovery with no backend restart."""

from __future__ import annotations

import secrets
import threading

import httpx
import pytest
from pykube import HTTPClient, Pod

import release
from engine import engine
from support import Api, eventually, fingerprint, pods

pytestmark = pytest.mark.functional
KILLS = 3


class Writer(threading.Thread):
    """Creates uniquely numbered users until told to stop.

    Attributes:
        acknowledged: addresses that the API answered with 201.
        problems: status code and content type of every other answer.
    """

    def __init__(self, api: Api, prefix: str) -> None:
        super().__init__()
        self.api, self.prefix = api, prefix
        self.acknowledged: list[str] = []
        self.problems: list[tuple[int, str]] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.stopping.wait(0.1):
            number += 1
            email = f"{self.prefix}-{number}@example.com"
            body = {"email": email, "full_name": "Load", "role": "viewer", "password": "correct horse battery"}
            try:
                answer = self.api.http.post("/users", json=body)
            except httpx.TransportError as error:
                self.problems.append((0, type(error).__name__))
                continue
            if answer.status_code == 201:
                self.acknowledged.append(email)
            else:
                self.problems.append((answer.status_code, answer.headers["content-type"].split(";")[0]))


def delete_pod(platform: release.Target, pod: Pod) -> None:
    """As a drained or evicted node does it; never by force, which could start a second server on the same files."""
    platform.kubectl("delete", "pod", pod.name, "--grace-period=1", "--wait=false")


def kill_processes(platform: release.Target, pod: Pod) -> None:
    """SIGKILL to every PostgreSQL process of the node, as the kernel does it when memory runs out."""
    # Those of which the first was the parent end by themselves in the meantime: then there is nobody left to kill.
    script = (
        "for name in /proc/[0-9]*/comm; do if grep -qsx postgres $name; then kill -9 $(basename ${name%/comm}); fi; done;"
        " true"
    )
    engine().run("exec", pod.obj["spec"]["nodeName"], "sh", "-c", script, quiet=True)


def database_pod(client: HTTPClient) -> Pod:
    [database] = pods(client, release.NAMESPACE, "postgresql")
    return database


def identity(pod: Pod) -> tuple[str, int]:
    """Which server this is: another one after a replaced pod as after a restarted container."""
    statuses = pod.obj["status"].get("containerStatuses", [])
    return pod.obj["metadata"]["uid"], sum(status["restartCount"] for status in statuses)


def another_is_ready(client: HTTPClient, killed: tuple[str, int]) -> bool:
    return any(pod.ready and identity(pod) != killed for pod in pods(client, release.NAMESPACE, "postgresql"))


def backends(client: HTTPClient) -> dict[str, tuple[str, int]]:
    running = fingerprint(client, release.NAMESPACE)
    return {name: state for name, state in running.items() if name.startswith("flask-backend")}


@pytest.mark.parametrize("kill", [delete_pod, kill_processes])
def test_killed_database_loses_no_acknowledged_write(platform, kube_cluster, admin: Api, kill):
    client = kube_cluster.kube_client
    before = backends(client)
    prefix = f"{kill.__name__.replace('_', '-')}-{secrets.token_hex(3)}"
    writer = Writer(admin, prefix)
    writer.start()
    try:
        for round_number in range(1, KILLS + 1):
            acknowledged = len(writer.acknowledged)
            eventually(
                lambda: len(writer.acknowledged) > acknowledged + 2,  # noqa: B023
                120,
                f"writes go on before kill {round_number}",
            )
            killed = identity(database_pod(client))
            kill(platform, database_pod(client))
            eventually(
                lambda: another_is_ready(client, killed),  # noqa: B023
                120,
                f"another server is ready after kill {round_number}",
            )
        acknowledged = len(writer.acknowledged)
        eventually(lambda: len(writer.acknowledged) > acknowledged, 120, "writes go on after the last kill")
    finally:
        writer.stopping.set()
        writer.join()
    # A restart quicker than the backend's retries shows the client nothing at all.
    assert set(writer.problems) <= {(503, "application/problem+json")}
    stored = admin.users(search=prefix)
    assert set(writer.acknowledged) <= {user["email"] for user in stored}
    assert before and backends(client) == before
    for user in stored:
        admin.delete_user(user)


def test_without_a_database_the_api_says_so_and_comes_back_with_it(platform, kube_cluster, admin: Api):
    client = kube_cluster.kube_client
    before = backends(client)
    platform.kubectl("scale", "statefulset", "postgresql", "--replicas=0")
    try:
        refused = eventually(lambda: unavailable(admin), 60, "the API answers 503")
    finally:
        platform.kubectl("scale", "statefulset", "postgresql", "--replicas=1")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["status"] == 503 and refused.json()["detail"]
    eventually(lambda: admin.http.get("/users").status_code == 200, 120, "the API answers again")
    assert before and backends(client) == before


def unavailable(api: Api) -> httpx.Response | None:
    answer = api.http.get("/users")
    return answer if answer.status_code == 503 else None
