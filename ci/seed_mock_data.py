#!/usr/bin/env python3
"""`make seed-mock-data`: a few users of every role, through the REST API. Running it again changes nothing."""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request

import release
from common import CiError, log, main_guard

PASSWORD = "mock password 1"
USERS = [
    {"email": "ada@example.com", "full_name": "Ada Lovelace", "role": "admin"},
    {"email": "grace@example.com", "full_name": "Grace Hopper", "role": "maintainer"},
    {"email": "edsger@example.com", "full_name": "Edsger Dijkstra", "role": "viewer"},
    {"email": "barbara@example.com", "full_name": "Barbara Liskov", "role": "viewer", "is_active": False},
]


class Api:
    """The REST API behind the web UI, or the backend itself, with a Bearer token."""

    def __init__(self, url: str, email: str, password: str):
        self._url = url.rstrip("/")
        self._token = ""
        _, tokens = self.call("POST", "/auth/login", {"email": email, "password": password}, expect=(200,))
        self._token = tokens["access_token"]

    def call(self, method: str, path: str, body: dict | None, expect: tuple[int, ...]) -> tuple[int, dict]:
        """Status code and body of an answer.

        Raises:
            CiError: no answer, or a status code other than those of `expect`.
        """
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}/api/v1{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read()
        except OSError as error:
            raise CiError(f"{self._url} does not answer ({error}); is the platform up? make up") from None
        try:
            document = json.loads(content) if content else {}
        except ValueError:
            raise CiError(f"{self._url} is not the platform: {method} {path} answered no JSON") from None
        if status not in expect:
            raise CiError(f"{method} {path} answered {status}: {document.get('detail', '')}")
        return status, document


def seed(api: Api) -> None:
    """Create the users that do not exist; an existing one is left as it is."""
    for user in USERS:
        status, _ = api.call("POST", "/users", user | {"password": PASSWORD}, expect=(201, 409))
        log(f"{user['email']} ({user['role']}): {'created' if status == 201 else 'exists'}")


def main() -> None:
    target = release.from_environment()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default=target.url, help="of the web UI or the backend (default: %(default)s)")
    parser.add_argument("--email", default="admin@example.com", help="an admin's (default: %(default)s)")
    parser.add_argument("--password", default=os.environ.get("ADMIN_PASSWORD") or "admin", help="or ADMIN_PASSWORD")
    arguments = parser.parse_args()
    seed(Api(arguments.url, arguments.email, arguments.password))
    print(f"Mock data is at {arguments.url}; every mock user has the password: {PASSWORD}")


if __name__ == "__main__":
    main_guard(main)
