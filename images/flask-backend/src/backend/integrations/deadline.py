"""A time limit for a whole exchange: the HTTP client's own ones begin again with every byte that arrives."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any, Self


class Deadline:
    """Hangs up on the server when the time is over; what waits for it then fails as if the server had.

    Give `trace` to the request as its extension of that name.

    Attributes:
        passed: it hung up.
    """

    def __init__(self, seconds: float):
        self.passed = False
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._hang_up)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_) -> None:
        self._timer.cancel()
        with self._lock:
            if self._connection:
                self._connection.close()
                self._connection = None

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Remember the connection, by a descriptor of its own: TLS takes the first one away."""
        if event == "connection.connect_tcp.complete":
            with self._lock:
                self._connection = info["return_value"].get_extra_info("socket").dup()

    def _hang_up(self) -> None:
        with self._lock:
            self.passed = True
            if self._connection:
                with contextlib.suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)
