"""How the shards are, for a probe that must not wait for one that hangs."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

from backend.shards.cluster import Shards

FRESH_SECONDS = 5.0
WAIT_SECONDS = 0.3


class ShardHealth:
    """Asks the shards in a thread of its own, at most every `FRESH_SECONDS`."""

    def __init__(self, shards: Shards):
        self._shards = shards
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="shard-health")
        self._lock = threading.Lock()
        self._asked_at = -FRESH_SECONDS
        self._asking: Future | None = None
        self._known: dict[str, str] = {}

    def states(self) -> dict[str, str]:
        """What is wrong with each shard in use, by name; empty for one that is well. Within `WAIT_SECONDS`.

        Raises:
            DatabaseUnavailable: of the primary.
        """
        layout = self._shards.layout()
        if not layout.members:
            return {}
        with self._lock:
            if self._asking is None and time.monotonic() - self._asked_at >= FRESH_SECONDS:
                self._asked_at = time.monotonic()
                self._asking = self._pool.submit(self._shards.states, layout)
            asking = self._asking
        if asking is not None:
            wait([asking], WAIT_SECONDS)
            self._take(asking)
        return {member.name: self._known.get(member.name, "no answer yet") for member in layout.members}

    def _take(self, asking: Future) -> None:
        with self._lock:
            if asking.done() and self._asking is asking:
                self._asking = None
                self._known = asking.result()
