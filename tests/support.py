"""The platform as its users reach it: HTTP through the web UI, objects through the Kubernetes API."""

from __future__ import annotations

import ipaddress
import itertools
import os
import random
import re
import secrets
import shlex
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import httpx
import requests
from pykube import DaemonSet, Deployment, HTTPClient, Job, Pod, StatefulSet
from pykube.exceptions import PyKubeError
from pytest_helm_charts.k8s.daemon_set import wait_for_daemon_sets_to_run
from pytest_helm_charts.k8s.deployment import wait_for_deployments_to_run
from pytest_helm_charts.k8s.stateful_set import wait_for_stateful_sets_to_run
from pytest_helm_charts.utils import wait_for_objects_condition

import release
from common import CiError, tool

ADMIN = {"email": "admin@example.com", "password": "admin"}
FAST_PATH_LABELS = {"triptych.dev/fast-path": "true", "triptych.dev/hugepages-2Mi": "true"}

T = TypeVar("T")
# What a platform in motion makes of a look at it: no answer, one that is not yet complete, one pod too many.
NOT_YET = (
    httpx.HTTPError, requests.RequestException, PyKubeError, CiError, AssertionError, LookupError, ValueError
)  # fmt: skip


def eventually(check: Callable[[], T], seconds: float, message: str) -> T:
    """The first true value that `check` returns; its errors count as "not yet".

    Raises:
        AssertionError: no true value within `seconds`; tells the last value or error.
    """
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except NOT_YET as error:
            last = error
        time.sleep(0.5)
    raise AssertionError(f"{message} within {seconds:.0f} s; last: {last!r}")


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on.

    Below those that the kernel takes for connections, so that nobody gets one until a server listens there.
    """
    candidates = random.sample(range(20_000, 30_000), 100)
    return list(itertools.islice(filter(_is_free, candidates), count))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def new_prefix() -> str:
    """An IPv6 network that nobody else has, as the API writes it."""
    return str(ipaddress.ip_network(f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::/64"))


class Login(httpx.Auth):
    """A Bearer token, renewed by a new login before it expires: test runs outlive it.

    A login that is refused, by a database that is away say, is the answer to the request that needed it.
    """

    def __init__(self, url: str, email: str, password: str) -> None:
        self._login = httpx.Request("POST", f"{url}/api/v1/auth/login", json={"email": email, "password": password})
        self._renew_at = 0.0
        self.answer: dict = {}

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if time.monotonic() > self._renew_at:
            answer = yield self._login
            if answer.is_error:
                return
            answer.read()  # here, and not by requires_response_body, which would also read endless streams
            self.answer = answer.json()
            self._renew_at = time.monotonic() + self.answer["expires_in"] / 2
        request.headers["Authorization"] = f"Bearer {self.answer['access_token']}"
        yield request


@dataclass
class Api:
    """A signed-in client of the REST API.

    Attributes:
        http: a client whose base address is the web UI.
        user: who is signed in, as the login answered.
    """

    http: httpx.Client
    user: dict

    @classmethod
    def log_in(cls, url: str, email: str, password: str) -> Api:
        auth = Login(url, email, password)
        http = httpx.Client(base_url=f"{url}/api/v1", timeout=60, auth=auth)
        http.get("/auth/me").raise_for_status()
        return cls(http, auth.answer["user"])

    def status(self) -> dict:
        return self.http.get("/status").raise_for_status().json()

    def components(self) -> dict[str, str]:
        """Status of each component by name."""
        return {part["name"]: part["status"] for part in self.status()["components"]}

    def create_user(self, email: str, role: str, password: str = "correct horse battery") -> dict:
        body = {"email": email, "full_name": email.split("@")[0].title(), "role": role, "password": password}
        return self.http.post("/users", json=body).raise_for_status().json()

    def delete_user(self, user: dict) -> None:
        self.http.delete(f"/users/{user['id']}").raise_for_status()

    def users(self, search: str = "") -> list[dict]:
        """All users that a search finds, over all pages."""
        found: list[dict] = []
        page, pages = 1, 1
        while page <= pages:
            params = {"page": page, "per_page": 100, "search": search}
            body = self.http.get("/users", params=params).raise_for_status().json()
            found += body["users"]
            page, pages = page + 1, body["pagination"]["pages"]
        return found


def names(kind: type, client: HTTPClient, namespace: str) -> list[str]:
    return [found.name for found in kind.objects(client).filter(namespace=namespace)]


def wait_for_jobs(client: HTTPClient, jobs: list[str], namespace: str, seconds: int) -> None:
    """Wait until Jobs are complete. The library's own wait reads the first condition only, now "SuccessCriteriaMet"."""

    def complete(job: Job) -> bool:
        return any(condition["type"] == "Complete" for condition in job.obj["status"].get("conditions", []))

    wait_for_objects_condition(client, Job, jobs, namespace, complete, seconds, True)


def wait_until_ready(client: HTTPClient, namespace: str, seconds: int) -> None:
    """Wait for every workload of a namespace, whichever there are."""
    waits = [
        (Job, wait_for_jobs),
        (StatefulSet, wait_for_stateful_sets_to_run),
        (Deployment, wait_for_deployments_to_run),
        (DaemonSet, wait_for_daemon_sets_to_run),
    ]
    for kind, wait in waits:
        if found := names(kind, client, namespace):
            wait(client, found, namespace, seconds)


def pods(client: HTTPClient, namespace: str, component: str | None = None) -> list[Pod]:
    """Pods of a component (all when None) that have not completed."""
    selector = {"app.kubernetes.io/name": component} if component else {}
    found = Pod.objects(client).filter(namespace=namespace, selector=selector)
    return [pod for pod in found if pod.obj["status"].get("phase") not in ("Succeeded", "Failed")]


def lasting(client: HTTPClient, namespace: str, component: str | None = None) -> list[Pod]:
    """Those of `pods` that nobody has told to end: after a rollout the ones before serve on for some seconds."""
    return [pod for pod in pods(client, namespace, component) if "deletionTimestamp" not in pod.obj["metadata"]]


@contextmanager
def forwarded(target: release.Target, pod: str, port: int) -> Iterator[int]:
    """Port of 127.0.0.1 that reaches a port of one pod."""
    arguments = ["port-forward", f"pod/{pod}", f":{port}", "--address", "127.0.0.1"]
    with kubectl_process(target, *arguments) as process:
        line = process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert found, f"kubectl port-forward to {pod} printed {line!r}"
        yield int(found[1])


@contextmanager
def kubectl_process(target: release.Target, *arguments: str) -> Iterator[subprocess.Popen]:
    """kubectl, running beside the test with its output in a pipe, and ended afterwards."""
    command = [tool("kubectl"), "--context", f"kind-{target.name}", "--namespace", release.NAMESPACE, *arguments]
    process = subprocess.Popen(command, env=os.environ | target.env, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def nodes_command(notes: str) -> list[str]:
    """Arguments of the kubectl command in the chart's notes that shows which nodes fit."""
    [line] = [line.strip() for line in notes.splitlines() if line.strip().startswith("kubectl get nodes ")]
    return shlex.split(line)[1:]


def fingerprint(client: HTTPClient, namespace: str) -> dict[str, tuple[str, int]]:
    """Uid and restarts of every lasting pod, by name: equal before and after means that nothing restarted."""
    return {
        pod.name: (
            pod.obj["metadata"]["uid"],
            sum(status["restartCount"] for status in pod.obj["status"].get("containerStatuses", [])),
        )
        for pod in lasting(client, namespace)
    }
