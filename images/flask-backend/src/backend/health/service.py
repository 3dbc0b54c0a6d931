"""Readiness: may this process get requests, and if not, what fails."""

from __future__ import annotations

from redis import RedisError

from backend.context import Services
from backend.database.errors import DatabaseUnavailable
from backend.database.migrate import current_version
from backend.database.migrations import required_version


def readiness(services: Services) -> tuple[dict, int]:
    """The document of `/readyz` and its status code. Redis or a shard away makes nothing unready."""
    checks = {"database": _ok(), "schema": _ok(), "redis": check_redis(services)}
    try:
        version = services.database.read(current_version)
    except DatabaseUnavailable as error:
        checks["database"] = _bad(str(error))
        checks["schema"] = _bad("unknown while the database is away")
    else:
        # A newer schema is fine: migrations only expand what older code uses.
        if version < required_version():
            fix = f"version {version}, this release needs {required_version()}; run: backend migrate"
            checks["schema"] = _bad(fix)
        checks |= _check_shards(services)
    ready = all(checks[name]["status"] == "ok" for name in ("database", "schema"))
    return {"status": "ok" if ready else "unavailable", "checks": checks}, 200 if ready else 503


def _check_shards(services: Services) -> dict:
    try:
        states = services.shard_health.states()
    except DatabaseUnavailable as error:
        return {"shards": _bad(str(error))}
    return {f"shard {name}": _bad(problem) if problem else _ok() for name, problem in states.items()}


def check_redis(services: Services) -> dict:
    """State of Redis as a readiness check: ok, unavailable or disabled."""
    if services.redis is None:
        return {"status": "disabled", "detail": "REDIS_HOST is empty"}
    try:
        services.redis.ping()
    except RedisError as error:
        return _bad(type(error).__name__)
    return _ok()


def _ok() -> dict:
    return {"status": "ok", "detail": ""}


def _bad(detail: str) -> dict:
    return {"status": "unavailable", "detail": detail}
