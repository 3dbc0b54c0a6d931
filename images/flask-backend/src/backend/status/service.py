"""Asks every component at once, within a bound of time."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import grpc
from redis import RedisError

from backend.context import Services
from backend.database.errors import DatabaseUnavailable
from backend.database.migrate import current_version
from backend.status.fast_path import FastPathError

BOUND_SECONDS = 1.5
PROBES = ("database", "redis", "go-backend")
# A pool for each: probes of one that hangs never keep those of another waiting.
_POOLS = {name: ThreadPoolExecutor(max_workers=4, thread_name_prefix=f"status-{name}") for name in PROBES}
_EXPECTED = (DatabaseUnavailable, RedisError, FastPathError, grpc.RpcError)


def platform_status(services: Services) -> dict:
    """The body of `GET /api/v1/status`; answers within `BOUND_SECONDS` whatever is away."""
    started = time.perf_counter()
    probes: dict[str, Callable | None] = {
        "database": lambda: services.database.read(current_version),
        "redis": services.redis.ping if services.redis else None,
        "go-backend": services.fast_path.nodes if services.fast_path.installed else None,
    }
    futures = {name: _POOLS[name].submit(_timed, probe) for name, probe in probes.items() if probe}
    wait(futures.values(), timeout=BOUND_SECONDS)
    results = {name: _outcome(futures.get(name)) for name in probes}
    components = [_component(name, *results[name][:3]) for name in probes]
    own = _component("flask-backend", "healthy", "", (time.perf_counter() - started) * 1000)
    return {
        "version": services.settings.triptych_version,
        "environment": services.settings.environment,
        "database_engine": services.settings.db_type,
        "schema_version": results["database"][3],
        "components": [own, *components],
        "fast_path": _fast_path(*results["go-backend"]),
    }


def _timed(probe: Callable) -> tuple[float, object]:
    started = time.perf_counter()
    value = probe()
    return (time.perf_counter() - started) * 1000, value


def _outcome(future: Future | None) -> tuple[str, str, float, object]:
    """Status, detail, latency in ms and value of a probe; a probe that was not installed has no future."""
    if future is None:
        return "not_installed", "", 0.0, None
    if not future.done():
        future.cancel()
        return "unavailable", f"no answer within {BOUND_SECONDS} s", BOUND_SECONDS * 1000, None
    error = future.exception()
    if error is None:
        latency, value = future.result()
        return "healthy", "", latency, value
    if isinstance(error, _EXPECTED):
        return "unavailable", str(error) or type(error).__name__, 0.0, None
    raise error


def _component(name: str, status: str, detail: str, latency_ms: float) -> dict:
    return {"name": name, "status": status, "detail": detail, "latency_ms": round(latency_ms, 1)}


def _fast_path(status: str, _detail: str, _latency: float, nodes) -> dict:
    state = "running" if status == "healthy" else status
    return {"state": state, "nodes": nodes or []}
