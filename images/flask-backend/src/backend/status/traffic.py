"""Requests and logins over the last quarter of an hour, of all replicas together where there is a Redis."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import structlog
from redis import Redis, RedisError

log = structlog.get_logger(__name__)
STEP_SECONDS = 10
STEPS = 90
COUNTED = ("requests", "failures", "logins", "refused_logins")
# Redis forgets a step some time after nobody shows it any more.
_EXPIRY_SECONDS = (STEPS + 6) * STEP_SECONDS

Steps = dict[int, Counter[str]]


class Traffic:
    """Counts events in steps of `STEP_SECONDS`; a request never waits for Redis.

    Every replica adds a step to the sums in Redis when its next request finds the step over. A step that Redis
    did not take is missing from the sums, and stays in this replica's own counts.

    Args:
        redis: where replicas add up; None: this one alone.
        clock: seconds since the epoch.
    """

    def __init__(self, redis: Redis | None, clock: Callable[[], float] = time.time):
        self._redis, self._clock = redis, clock
        self._lock = threading.Lock()
        self._first = self._newest = self._now()
        self._own: Steps = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="traffic")

    def count(self, *names: str) -> None:
        """Count one event under each of some names of `COUNTED`."""
        step = self._now()
        with self._lock:
            counts = self._own.setdefault(step, Counter())
            for name in names:
                counts[name] += 1
            ended = self._turn(step)
        if ended and self._redis:
            self._writer.submit(self._add, ended)

    def recent(self) -> dict:
        """The body of `GET /api/v1/status/traffic`: steps that are over, the oldest first."""
        now = self._now()
        steps, shared = range(now - STEPS, now), self._read(range(now - STEPS, now))
        with self._lock:
            own = {step: Counter(counts) for step, counts in self._own.items()}
        counts = own if shared is None else shared
        if shared is None:
            steps = range(max(steps.start, self._first), now)
        points = [_point(step, counts.get(step, Counter())) for step in steps]
        scope = "replica" if shared is None else "platform"
        return {"scope": scope, "step_seconds": STEP_SECONDS, "points": points}

    def _now(self) -> int:
        return int(self._clock()) // STEP_SECONDS

    def _turn(self, step: int) -> Steps:
        """Steps that ended since the last turn; the caller holds the lock."""
        if step <= self._newest:
            return {}
        ended = {old: counts for old, counts in self._own.items() if self._newest <= old < step}
        self._newest = step
        self._own = {old: counts for old, counts in self._own.items() if old >= step - STEPS}
        return ended

    def _add(self, ended: Steps) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for step, counts in ended.items():
            for name, number in counts.items():
                pipeline.hincrby(_key(step), name, number)
            pipeline.expire(_key(step), _EXPIRY_SECONDS)
        try:
            pipeline.execute()
        except RedisError as error:
            log.warning("redis unavailable, the traffic of some seconds is not added up", reason=type(error).__name__)

    def _read(self, steps: range) -> Steps | None:
        if self._redis is None:
            return None
        pipeline = self._redis.pipeline(transaction=False)
        for step in steps:
            pipeline.hmget(_key(step), COUNTED)
        try:
            rows = pipeline.execute()
        except RedisError:
            return None
        return {
            step: Counter({name: int(value or 0) for name, value in zip(COUNTED, row, strict=True)})
            for step, row in zip(steps, rows, strict=True)
        }


def _key(step: int) -> str:
    return f"traffic:{step}"


def _point(step: int, counts: Counter[str]) -> dict:
    at = datetime.fromtimestamp(step * STEP_SECONDS, UTC)
    return {"at": at, **{name: counts[name] for name in COUNTED}}
