"""Reads the outbox once per process while anybody listens, and hands every event to every listener.

The database is polled and Redis is not asked: one indexed query in half a second, whoever is away.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections import OrderedDict
from datetime import UTC, timedelta

import structlog

from backend.database.errors import DatabaseUnavailable
from backend.database.session import fetch, now
from backend.shards.cluster import Shards, ShardUnavailable

log = structlog.get_logger(__name__)
POLL_SECONDS = 0.5
QUEUE_LENGTH = 500
# An event becomes visible at its commit, and a smaller number may do so after a larger one: look back.
_LOOK_BACK = timedelta(seconds=30)
_LOOK_BACK_ROWS = 1000
_COLUMNS = "id, kind, audience, payload, created_at"


class Listener:
    """The events of one stream, bounded: a reader that is too slow learns how many it lost."""

    def __init__(self):
        self.events: queue.Queue[dict] = queue.Queue(QUEUE_LENGTH)
        self.lost = 0

    def put(self, event: dict) -> None:
        try:
            self.events.put_nowait(event)
        except queue.Full:
            self.lost += 1

    def take(self, timeout: float) -> dict | None:
        """The next event, or `None` after `timeout` seconds."""
        try:
            return self.events.get(timeout=timeout)
        except queue.Empty:
            return None


class EventHub:
    """Distributes the outbox; its thread lives while there are listeners."""

    def __init__(self, shards: Shards):
        self._shards, self._database = shards, shards.primary
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._thread: threading.Thread | None = None

    def listen(self) -> Listener:
        """A new listener, which gets everything that is committed from now on. Raises `DatabaseUnavailable`."""
        listener = Listener()
        with self._lock:
            if self._thread is None:
                # What is there before the first listener is history; `since` tells of it.
                seen = OrderedDict.fromkeys(row["id"] for row in self._recent())
                self._thread = threading.Thread(target=self._run, args=(seen,), name="event-hub", daemon=True)
                self._thread.start()
            self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a listener."""
        with self._lock:
            self._listeners.discard(listener)

    def since(self, number: int) -> list[dict]:
        """Events after `number` that are still there, at most `QUEUE_LENGTH`, for a reader that comes back."""
        sql = f"SELECT {_COLUMNS} FROM events WHERE id > %s ORDER BY id LIMIT {QUEUE_LENGTH}"
        try:
            found = self._shards.gather(lambda database: database.read(lambda db: fetch(db, sql, number)))
        except ShardUnavailable as error:
            # A live stream goes on without its history, rather than not at all.
            log.warning("live events without older ones", reason=str(error))
            found = [self._database.read(lambda db: fetch(db, sql, number))]
        rows = {row["id"]: row for part in found for row in part}
        return [_decoded(rows[key]) for key in sorted(rows)[:QUEUE_LENGTH]]

    def _run(self, seen: OrderedDict[int, None]) -> None:
        time.sleep(POLL_SECONDS)
        while self._wanted():
            try:
                rows = self._recent()
            except DatabaseUnavailable as error:
                log.warning("live events wait", reason=str(error))
                rows = []
            for row in rows:
                if row["id"] not in seen:
                    seen[row["id"]] = None
                    self._hand_out(_decoded(row))
            while len(seen) > 4 * _LOOK_BACK_ROWS:
                seen.popitem(last=False)
            time.sleep(POLL_SECONDS)

    def _wanted(self) -> bool:
        with self._lock:
            if not self._listeners:
                self._thread = None
            return self._thread is not None

    def _recent(self) -> list[dict]:
        sql = f"SELECT {_COLUMNS} FROM events WHERE created_at >= %s ORDER BY id DESC LIMIT {_LOOK_BACK_ROWS}"
        since = (now() - _LOOK_BACK).isoformat(" ")
        return self._database.read(lambda db: fetch(db, sql, since))[::-1]

    def _hand_out(self, event: dict) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.put(event)


def _decoded(row: dict) -> dict:
    created_at = row["created_at"].replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
    return {**row, "payload": json.loads(row["payload"]), "created_at": created_at}
