"""A short proof that an installed platform works: log in, write, read, and ask every component."""

from __future__ import annotations

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from backend.grpc_calls import Tls, open_channel


class SmokeError(Exception):
    """What does not work, in one line; `final` when waiting cannot mend it."""

    final = False
    problem = ""


class Api:
    """A minimal client of the REST API.

    Args:
        url: of the WebUI or of the backend.
    """

    def __init__(self, url: str):
        self._url = url.rstrip("/")
        self.token = ""

    def call(self, method: str, path: str, body: dict | None = None, expect: int = 200) -> dict:
        """The JSON body of an answer. Raises `SmokeError` when the status is not `expect`."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read()
        except OSError as error:
            raise SmokeError(f"{method} {self._url}{path}: {error}") from None
        if status != expect:
            text = content.decode(errors="replace")[:300]
            error = SmokeError(f"{method} {path} answered {status}, expected {expect}: {text}")
            error.final = status < 500
            error.problem = _problem_type(content)
            raise error
        try:
            return json.loads(content) if content else {}
        except ValueError:
            raise SmokeError(f"{method} {path} answered no JSON; is this URL the platform?") from None


def smoke_test(
    url: str,
    email: str,
    password: str,
    expect_fast_path: bool,
    go_backend: str,
    tls: Tls | None,
    timeout: float,
    progress: Callable[[str], None],
    password_may_have_changed: bool = False,
) -> None:
    """Run every check.

    Args:
        go_backend: `host:port` of its gRPC API, or empty.
        tls: for that API; plain text when None.
        timeout: seconds for which login and status are tried again until they are good.
        password_may_have_changed: the password is the first admin's initial one: while it must still be changed,
            and once it was, what is behind the login is not checked, and a line says so.

    Raises:
        SmokeError: the first check that fails.
    """
    api = Api(url)
    end = time.monotonic() + timeout
    if _sign_in(api, end, email, password, password_may_have_changed, progress):
        _check_signed_in(api, end, expect_fast_path, progress)
    else:
        _until(end, lambda: api.call("GET", "/readyz"))
        progress("the backend is ready: the database answers and its schema is right")
    if go_backend:
        _until(end, lambda: _grpc_health(go_backend, tls))
        progress(f"grpc.health.v1 at {go_backend}: SERVING")
    if api.token:
        api.call("POST", "/api/v1/auth/logout", expect=204)
        api.call("GET", "/api/v1/auth/me", expect=401)
        progress("signed out; the token is refused")


def _sign_in(api: Api, end: float, email: str, password: str, may_have_changed: bool, progress) -> bool:
    """Whether what needs a signed-in admin can be checked."""
    body = {"email": email, "password": password}
    try:
        tokens = _until(end, lambda: api.call("POST", "/api/v1/auth/login", body))
    except SmokeError as error:
        if not may_have_changed or error.problem != "urn:triptych:problem:bad-credentials":
            raise
        progress(f"{email} has a password of their own by now: nothing behind the login is checked")
        return False
    api.token = tokens["access_token"]
    me = api.call("GET", "/api/v1/auth/me")
    progress(f"signed in as {me['email']} ({me['role']})")
    if me["must_change_password"]:
        api.call("GET", "/api/v1/users", expect=403)
        progress(f"{email} must change the password first: until then nothing else behind the login can be checked")
    return not me["must_change_password"]


def _check_signed_in(api: Api, end: float, expect_fast_path: bool, progress: Callable[[str], None]) -> None:
    _write_and_read(api)
    progress("created, read, listed and deleted a user")
    status = _until(end, lambda: _healthy(api, expect_fast_path))
    progress("; ".join(f"{part['name']}: {part['status']}" for part in status["components"]))
    for node in status["fast_path"]["nodes"]:
        progress(f"fast path on {node['node']}: XDP {node['xdp_mode']} at {node['interface']}")


def _write_and_read(api: Api) -> None:
    email = f"smoke-{secrets.token_hex(6)}@example.com"
    body = {"email": email, "full_name": "Smoke Test", "role": "viewer", "password": secrets.token_urlsafe(24)}
    user = api.call("POST", "/api/v1/users", body, expect=201)
    try:
        read = api.call("GET", f"/api/v1/users/{user['id']}")
        if read != user or read["email"] != email:
            raise SmokeError(f"read back a user other than the one written: {read}")
        found = api.call("GET", f"/api/v1/users?search={email}")["users"]
        if [row["id"] for row in found] != [user["id"]]:
            raise SmokeError(f"the search for {email} found {len(found)} users")
    finally:
        api.call("DELETE", f"/api/v1/users/{user['id']}", expect=204)
    api.call("GET", f"/api/v1/users/{user['id']}", expect=404)


def _problem_type(content: bytes) -> str:
    try:
        return str(json.loads(content).get("type", ""))
    except (ValueError, AttributeError):
        return ""


def _healthy(api: Api, expect_fast_path: bool) -> dict:
    status = api.call("GET", "/api/v1/status")
    for part in status["components"]:
        if part["status"] == "unavailable":
            raise SmokeError(f"{part['name']} is unavailable: {part['detail']}")
    state = status["fast_path"]["state"]
    if expect_fast_path and state != "running":
        raise SmokeError(f"the fast path is {state}, expected running")
    return status


def _grpc_health(target: str, tls: Tls | None) -> None:
    with open_channel(target, target.rpartition(":")[0], tls, []) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=3)
        except grpc.RpcError as error:
            raise SmokeError(f"grpc.health.v1 at {target}: {error.code().name} {error.details()}") from None
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise SmokeError(f"grpc.health.v1 at {target} is not SERVING")


def _until(end: float, check: Callable):
    while True:
        try:
            return check()
        except SmokeError as error:
            if error.final or time.monotonic() > end:
                raise
            time.sleep(2)
