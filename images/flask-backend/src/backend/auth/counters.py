"""Counters with an end, in Redis for all replicas, or in this process while there is none."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import structlog
from redis import Redis, RedisError

from backend.tracing import redis_span

log = structlog.get_logger(__name__)
REDIS_PAUSE_SECONDS = 5
_MEMORY_ENTRIES = 10_000


@dataclass(frozen=True)
class Count:
    """Value of a counter, and the seconds until it is forgotten."""

    value: int
    seconds_left: float


class MemoryCounters:
    """Counters of this process."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}

    def add(self, key: str, amount: int, window: int) -> Count:
        with self._lock:
            moment = time.monotonic()
            if len(self._counts) > _MEMORY_ENTRIES:
                self._counts = {k: v for k, v in self._counts.items() if v[1] > moment}
            value, end = self._counts.get(key, (0, 0.0))
            if end <= moment:
                value, end = 0, moment + window
            self._counts[key] = (max(0, value + amount), end)
            return Count(self._counts[key][0], end - moment)


class Counters:
    """Counters in Redis; a failing Redis is left alone for `REDIS_PAUSE_SECONDS` at a time."""

    def __init__(self, redis: Redis | None):
        self._redis = redis
        self._redis_back_at = 0.0
        self.memory = MemoryCounters()

    @property
    def degraded(self) -> bool:
        """Whether replicas count apart, because Redis does not answer."""
        return self._redis is not None and time.monotonic() < self._redis_back_at

    def add(self, key: str, amount: int, window: int) -> Count:
        """Add to a counter that is forgotten `window` seconds after it was first used."""
        if self._redis is None or time.monotonic() < self._redis_back_at:
            return self.memory.add(key, amount, window)
        try:
            pipeline = self._redis.pipeline()
            pipeline.incrby(key, amount)
            pipeline.expire(key, window, nx=True)
            pipeline.pttl(key)
            with redis_span("INCRBY"):
                value, _, milliseconds = pipeline.execute()
            return Count(value, max(milliseconds, 0) / 1000)
        except RedisError as error:
            self._redis_back_at = time.monotonic() + REDIS_PAUSE_SECONDS
            log.warning("redis unavailable, attempts are counted in this process", reason=type(error).__name__)
            return self.memory.add(key, amount, window)
