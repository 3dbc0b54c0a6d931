"""Server-Sent Events over WSGI."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain

from flask import Response

from backend.slots import Slots, piecewise

# How soon a stream learns that its session ended; a stream's only cost while nothing happens.
CHECK_SECONDS = 2.0
HEARTBEAT_SECONDS = 10.0
RETRY_MILLISECONDS = 3000


class StreamSlots(Slots):
    """The bound on open streams of this process.

    Args:
        stopping: set when the server ends; every stream ends then.
    """

    def __init__(self, limit: int, stopping: threading.Event):
        super().__init__(limit, "live streams")
        self.stopping = stopping


def stream(slots: StreamSlots, allowed: Callable[[], bool], pieces: Iterator[str | None]) -> Response:
    """Answer with a stream.

    Args:
        allowed: asked every `CHECK_SECONDS`; the stream ends at the first False.
        pieces: frames of `frame`, and None at least every second or so while nothing happens; closed at the end.

    Raises:
        Problem: 503 when all slots are taken.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return piecewise(slots, _guarded(slots, allowed, pieces), "text/event-stream", headers)


def frame(kind: str, data: dict, number: int | None = None) -> str:
    """One event in the wire format."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"


def _guarded(slots: StreamSlots, allowed: Callable[[], bool], pieces: Iterator[str | None]) -> Iterator[str]:
    checked = sent = time.monotonic()
    try:
        # Whoever has the first line misses nothing from then on: what listens does so before its first piece.
        first = next(pieces, None)
        yield f"retry: {RETRY_MILLISECONDS}\n\n"
        for piece in chain([first], pieces):
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
