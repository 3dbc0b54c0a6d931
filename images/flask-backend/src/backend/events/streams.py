"""Server-Sent Events over WSGI: each open stream holds a request thread, so their number has a bound."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

from flask import Response

from backend.problems import Problem

# How soon a stream learns that its session ended; a stream's only cost while nothing happens.
CHECK_SECONDS = 2.0
HEARTBEAT_SECONDS = 10.0
RETRY_MILLISECONDS = 3000


class StreamSlots:
    """The bound on open streams of this process.

    Args:
        limit: how many may be open at once.
        stopping: set when the server ends; every stream ends then.
    """

    def __init__(self, limit: int, stopping: threading.Event):
        self.limit = limit
        self.stopping = stopping
        self._free = threading.BoundedSemaphore(limit)
        self._lock = threading.Lock()
        self.open = 0

    def take(self) -> None:
        """Raises a 503 `Problem` when all are taken."""
        if not self._free.acquire(blocking=False):
            detail = f"All {self.limit} live streams of this server are taken; try again or poll."
            raise Problem(503, detail, "too-many-streams", retry_after=5)
        with self._lock:
            self.open += 1

    def give_back(self) -> None:
        with self._lock:
            self.open -= 1
        self._free.release()


def stream(slots: StreamSlots, allowed: Callable[[], bool], pieces: Iterator[str | None]) -> Response:
    """Answer with a stream.

    Args:
        allowed: asked every `CHECK_SECONDS`; the stream ends at the first False.
        pieces: frames of `frame`, and None at least every second or so while nothing happens; closed at the end.

    Raises:
        Problem: 503 when all slots are taken.
    """
    slots.take()
    body = _Body(slots, _guarded(slots, allowed, pieces))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(body, mimetype="text/event-stream", headers=headers, direct_passthrough=True)


def frame(kind: str, data: dict, number: int | None = None) -> str:
    """One event in the wire format."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"


class _Body:
    """An iterable that gives its slot back exactly once, also when it was never iterated."""

    def __init__(self, slots: StreamSlots, pieces: Iterator[str]):
        self._slots = slots
        self._pieces = pieces
        self._closed = False

    def __iter__(self):
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces).encode()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._pieces.close()
            self._slots.give_back()


def _guarded(slots: StreamSlots, allowed: Callable[[], bool], pieces: Iterator[str | None]) -> Iterator[str]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    checked = sent = time.monotonic()
    try:
        for piece in pieces:
            if slots.stopping.is_set():
                return
            if time.monotonic() - checked >= CHECK_SECONDS:
                if not allowed():
                    yield frame("end", {"reason": "the session ended"})
                    return
                checked = time.monotonic()
            if piece is None and time.monotonic() - sent < HEARTBEAT_SECONDS:
                continue
            sent = time.monotonic()
            yield piece or ": keep-alive\n\n"
    finally:
        if hasattr(pieces, "close"):
            pieces.close()
