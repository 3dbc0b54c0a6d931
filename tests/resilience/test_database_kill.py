"""The database pod dies under writes: honest 503s, no acknowledged write lost, recovery with no backend restart."""

from __future__ import annotations

import threading

import httpx
import pytest

import release
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


def test_killed_database_loses_no_acknowledged_write(platform, kube_cluster, admin: Api):
    client = kube_cluster.kube_client
    backends = {
        name: state
        for name, state in fingerprint(client, release.NAMESPACE).items()
        if name.startswith("flask-backend")
    }
    writer = Writer(admin, "kill")
    writer.start()
    try:
        for kill in range(1, KILLS + 1):
            # The first write of each round proves that the platform works before the next kill.
            before = len(writer.acknowledged)
            eventually(lambda: len(writer.acknowledged) > before + 2, 90, f"writes go on before kill {kill}")  # noqa: B023
            [database] = pods(client, release.NAMESPACE, "postgresql")
            failed = len(writer.problems)
            platform.kubectl("delete", "pod", database.name, "--grace-period=0", "--force")
            eventually(lambda: len(writer.problems) > failed, 60, f"kill {kill} is felt")  # noqa: B023
        before = len(writer.acknowledged)
        eventually(lambda: len(writer.acknowledged) > before, 120, "writes go on after the last kill")
    finally:
        writer.stopping.set()
        writer.join(timeout=30)
    assert set(writer.problems) == {(503, "application/problem+json")}
    stored = {email for email in admin.emails() if email.startswith("kill-")}
    assert set(writer.acknowledged) <= stored
    after = fingerprint(client, release.NAMESPACE)
    assert backends and all(after.get(name) == state for name, state in backends.items())
    for user in admin.http.get("/users", params={"search": "kill-", "per_page": 100}).json()["users"]:
        admin.delete_user(user)
