"""Checks of Redis, the keys and the Go backend."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from redis import RedisError

from backend.context import Services
from backend.doctor.report import OK, WARNING, Finding
from backend.status.fast_path import FastPathError


def redis(services: Services) -> Iterator[Finding]:
    """Without it throttles count per pod, and jobs wait."""
    if services.redis is None:
        yield Finding("redis", OK, "not configured (REDIS_HOST is empty)")
        return
    try:
        version = services.redis.info("server")["redis_version"]
    except RedisError as error:
        fix = "start Redis, or mend REDIS_*; logins and revocations go on without it"
        yield Finding("redis", WARNING, f"{type(error).__name__}: {error}", fix)
        return
    yield Finding("redis", OK, f"version {version}")


def keys(services: Services) -> Iterator[Finding]:
    """Unusable keys end the program before; here it is about keys that do not last."""
    for name, path in (
        ("JWT_SIGNING_KEY_FILE", services.settings.jwt_signing_key_file),
        ("ENCRYPTION_KEY_FILE", services.settings.encryption_key_file),
    ):
        if path is None:
            yield Finding("keys", WARNING, f"no {name}: the key is not kept", f"set {name} (needed outside alpha)")
        else:
            yield Finding("keys", OK, f"{name} is usable")


def go_backend(services: Services) -> Iterator[Finding]:
    """The fast path, where it is installed."""
    if not services.fast_path.installed:
        yield Finding("go backend", OK, "not installed (GO_BACKEND_TARGET is empty)")
        return
    try:
        nodes = services.fast_path.nodes()
    except (FastPathError, grpc.RpcError) as error:
        yield Finding("go backend", WARNING, str(error), "look at the go-backend pods")
        return
    yield Finding("go backend", OK, ", ".join(f"{node['node']} ({node['xdp_mode']})" for node in nodes))


CHECKS = (redis, keys, go_backend)
