"""Limits failed logins per address and per account and address; counts in Redis, else in memory.

Only the pair of account and address is limited, never the account alone: a stranger cannot lock a user out.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass

import structlog
from redis import Redis, RedisError

log = structlog.get_logger(__name__)
WINDOW_SECONDS = 300
PAIR_LIMIT = 10
ADDRESS_LIMIT = 100
REDIS_PAUSE_SECONDS = 5


@dataclass(frozen=True)
class Attempt:
    """The counters of one login attempt: key and limit of each."""

    pair: str
    address: str


class MemoryCounters:
    """Counters of this process, for no Redis or while it is away."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}

    def add(self, key: str, amount: int) -> int:
        with self._lock:
            if len(self._counts) > 10_000:
                self._counts = {k: v for k, v in self._counts.items() if v[1] > time.monotonic()}
            count, end = self._counts.get(key, (0, 0.0))
            if end <= time.monotonic():
                count, end = 0, time.monotonic() + WINDOW_SECONDS
            self._counts[key] = (max(0, count + amount), end)
            return self._counts[key][0]


class LoginThrottle:
    """Counts attempts before the password is checked, so that parallel guesses count as well."""

    def __init__(self, redis: Redis | None):
        self._redis = redis
        self._memory = MemoryCounters()
        self._redis_back_at = 0.0

    def begin(self, email: str, address: str) -> Attempt | None:
        """Count an attempt; `None` when there were too many in the last `WINDOW_SECONDS`."""
        account = hashlib.sha256(email.encode()).hexdigest()[:32]
        attempt = Attempt(f"login:{account}:{address}", f"login:{address}")
        too_many = self._add(attempt.address, 1) > ADDRESS_LIMIT
        too_many = self._add(attempt.pair, 1) > PAIR_LIMIT or too_many
        return None if too_many else attempt

    def succeeded(self, attempt: Attempt) -> None:
        """Take the attempt back: only failures count."""
        self._add(attempt.address, -1)
        self._add(attempt.pair, -1)

    def _add(self, key: str, amount: int) -> int:
        if self._redis is None or time.monotonic() < self._redis_back_at:
            return self._memory.add(key, amount)
        try:
            pipeline = self._redis.pipeline()
            pipeline.incrby(key, amount)
            pipeline.expire(key, WINDOW_SECONDS, nx=True)
            return pipeline.execute()[0]
        except RedisError as error:
            self._redis_back_at = time.monotonic() + REDIS_PAUSE_SECONDS
            log.warning("redis unavailable, logins are counted in this process", reason=type(error).__name__)
            return self._memory.add(key, amount)
