#!/usr/bin/env python3
"""`make seed-mock-data`: a few items of every feature, through the REST API. Running it again changes nothing."""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import release
from common import CiError, log, main_guard

PASSWORD = "mock password 1"
USERS = [
    {"email": "ada@example.com", "full_name": "Ada Lovelace", "role": "admin"},
    {"email": "grace@example.com", "full_name": "Grace Hopper", "role": "maintainer"},
    {"email": "edsger@example.com", "full_name": "Edsger Dijkstra", "role": "viewer"},
    {"email": "barbara@example.com", "full_name": "Barbara Liskov", "role": "viewer", "is_active": False},
]


@dataclass(frozen=True)
class Feature:
    """Mock items of one collection.

    Attributes:
        path: of the collection, below `/api/v1`.
        name: of the list in its answer.
        key: field by which an item that exists is known.
        items: bodies of the requests that create them.
    """

    path: str
    name: str
    key: str
    items: tuple[dict, ...]


# Nothing here acts: the webhooks are off, the rules only count, and their prefixes are for documentation (RFC 5737, 3849).
FEATURES = (
    Feature("/webhooks", "webhooks", "url", (
        {"url": "https://example.com/hooks/users", "events": ["users.*"], "description": "Accounts", "enabled": False},
        {"url": "https://example.com/hooks/guard", "events": ["guard.*"], "description": "Rules", "enabled": False},
        {"url": "https://example.org/hooks/all", "events": ["*"], "description": "Everything", "enabled": False},
    )),
    Feature("/guard/rules", "rules", "prefix", (
        {"prefix": "198.51.100.0/24", "action": "deny", "count_only": True, "comment": "Mock: a noisy network"},
        {"prefix": "203.0.113.7/32", "action": "allow", "count_only": True, "comment": "Mock: a partner"},
        {"prefix": "2001:db8:bad::/48", "action": "deny", "count_only": True, "comment": "Mock: IPv6"},
    )),
    Feature("/api-keys", "api_keys", "name", (
        {"name": "Mock: monitoring", "role": "viewer", "expires_in_days": 365},
        {"name": "Mock: deployment", "role": "maintainer", "expires_in_days": 90},
        {"name": "Mock: expires soon", "role": "viewer", "expires_in_days": 1},
    )),
)  # fmt: skip


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
    """Create what does not exist; what exists is left as it is."""
    seed_users(api)
    for feature in FEATURES:
        seed_feature(api, feature)


def seed_feature(api: Api, feature: Feature) -> None:
    """Create the items of one collection that are not in it; new API keys are never shown, nobody needs them."""
    present = {item[feature.key] for item in every_item(api, feature)}
    for item in feature.items:
        if item[feature.key] not in present:
            api.call("POST", feature.path, item, expect=(201,))
        log(f"{feature.path} {item[feature.key]}: {'exists' if item[feature.key] in present else 'created'}")


def every_item(api: Api, feature: Feature) -> Iterator[dict]:
    """All items of a collection, page by page where it has pages."""
    page, pages = 1, 1
    while page <= pages:
        query = f"?page={page}" if page > 1 else ""
        _, listed = api.call("GET", f"{feature.path}{query}", None, expect=(200,))
        yield from listed[feature.name]
        page, pages = page + 1, listed.get("pagination", {"pages": 1})["pages"]


def seed_users(api: Api) -> None:
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
