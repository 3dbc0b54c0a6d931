"""Request bodies that do not arrive.

Granian hands a body over as it arrives, and waits for a client that stops half-way for as long as its connection
lasts: with one of the few threads that answer requests, and nothing can end that wait. (A reader of its own per
body was tried: Granian stops altogether when an answer is ready before the body was read.) So only half of the
threads may wait for bodies. What needs none, health checks included, is answered all the same, and the web UI, the
only one whom the network policy lets in, sends no request before it has the whole body.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

from backend.problems import Problem

PATIENCE_SECONDS = 0.1
Application = Callable[[dict, Callable], Any]


class BodySlots:
    """WSGI middleware; reads nothing before the application does, and then all at once.

    Args:
        threads: of the server.
        largest: bytes of a body.
    """

    def __init__(self, application: Application, threads: int, largest: int):
        self._application, self._largest = application, largest
        self._slots = threading.BoundedSemaphore(max(1, threads // 2))

    def __call__(self, environ: dict, start_response: Callable):
        if environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ:
            environ["wsgi.input"] = _Body(self, environ["wsgi.input"], environ.get("CONTENT_LENGTH", ""))
        return self._application(environ, start_response)

    def read(self, stream, length: str) -> bytes:
        """The whole body.

        Raises:
            Problem: 400 when it ended early, 413 when it is too large, 503 when too many are awaited.
        """
        if not self._slots.acquire(timeout=PATIENCE_SECONDS):
            raise Problem(503, "Too many requests are still being received; try again.", "busy", retry_after=2)
        try:
            body = stream.read(self._largest + 1)
        finally:
            self._slots.release()
        # Werkzeug would hand over what fits of a body that did not say how long it is.
        if len(body) > self._largest:
            raise Problem(413, f"The body has more than {self._largest} bytes.")
        if length.isdigit() and len(body) < int(length):
            raise Problem(400, "The body ended before its Content-Length.", "body-truncated")
        return body


class _Body(io.RawIOBase):
    def __init__(self, slots: BodySlots, stream, length: str):
        self._slots, self._stream, self._length = slots, stream, length
        self._content: io.BytesIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if self._content is None:
            self._content = io.BytesIO(self._slots.read(self._stream, self._length))
        return self._content.readinto(buffer)
