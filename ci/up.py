#!/usr/bin/env python3
"""`make up`: from a checkout to a person able to log in. Every step is a no-op when its result is there."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request

import cluster
import images
import release
from common import CiError, log, main_guard
from engine import engine

ADMIN = {"email": "admin@example.com", "password": "admin"}


def log_in(url: str, seconds: float = 60) -> str:
    """Log in as the alpha admin, as a user's program would.

    Returns:
        The access token.

    Raises:
        CiError: no successful answer within `seconds`.
    """
    request = urllib.request.Request(
        f"{url}/api/v1/auth/login", json.dumps(ADMIN).encode(), {"Content-Type": "application/json"}
    )
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)["access_token"]
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise CiError(f"{url} does not let {ADMIN['email']} log in: {error}") from error
            time.sleep(1)


def up(target: release.Target) -> None:
    """End with the platform running on `target` and a verified login."""
    log(f"container engine: {engine().name}")
    built = images.build_all()
    cluster.up(target.name, target.port, target.kubeconfig)
    cluster.load(target.name, built)
    changed = release.install(target)
    release.apply_local_access(target)
    log_in(target.url)
    print(
        f"\nTriptych is {'running' if changed else 'already running, nothing changed'}.\n"
        f"  URL       {target.url}\n"
        f"  log in    {ADMIN['email']} / {ADMIN['password']}\n"
        f"  pods      kubectl --context kind-{target.name} -n {release.NAMESPACE} get pods\n"
        "  next      make seed-mock-data, make smoke-test; make down removes it all"
    )


if __name__ == "__main__":
    main_guard(lambda: up(release.from_environment()))
