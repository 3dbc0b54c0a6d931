"""Answers that are sent piece by piece: each holds a request thread until its end, so their number has a bound."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import structlog
from flask import Response, request

from backend.problems import Problem

log = structlog.get_logger(__name__)
# A reader who takes nothing is cut off by the server (SEND_TIMEOUT_SECONDS), one who takes little by this.
DOWNLOAD_SECONDS = 3600


class Slots:
    """The bound on the open answers of one kind in this process.

    Args:
        limit: how many may be open at once.
        what: they are, in the plural.
    """

    def __init__(self, limit: int, what: str):
        self.limit = limit
        self._what = what
        self._free = threading.BoundedSemaphore(limit)
        self._lock = threading.Lock()
        self.open = 0

    def take(self) -> None:
        """Raises a 503 `Problem` when all are taken."""
        if not self._free.acquire(blocking=False):
            detail = f"All {self.limit} {self._what} of this server are taken; try again later."
            raise Problem(503, detail, f"too-many-{self._what.split()[-1]}", retry_after=5)
        with self._lock:
            self.open += 1

    def give_back(self) -> None:
        with self._lock:
            self.open -= 1
        self._free.release()


def piecewise(slots: Slots, pieces: Iterator[str], mimetype: str, headers: dict[str, str]) -> Response:
    """Answer with the pieces that a generator gives, which is closed at the end.

    Raises:
        Problem: 503 when all slots are taken.
    """
    if request.method == "HEAD":
        # Nobody would iterate or close the body.
        return Response(mimetype=mimetype, headers=headers)
    slots.take()
    return Response(_Body(slots, pieces), mimetype=mimetype, headers=headers, direct_passthrough=True)


def download(
    slots: Slots, pieces: Iterator[str], mimetype: str, file_name: str, headers: dict | None = None
) -> Response:
    """Answer with a file. Raises what `piecewise` raises."""
    disposition = {"Content-Disposition": f'attachment; filename="{file_name}"'}
    return piecewise(slots, _timely(pieces), mimetype, disposition | (headers or {}))


def _timely(pieces: Iterator[str]) -> Iterator[str]:
    end = time.monotonic() + DOWNLOAD_SECONDS
    for piece in pieces:
        if time.monotonic() > end:
            # An error breaks the connection off: the file must not look whole.
            raise TimeoutError(f"a download took more than {DOWNLOAD_SECONDS} s")
        yield piece


class _Body:
    """An iterable that gives its slot back exactly once."""

    def __init__(self, slots: Slots, pieces: Iterator[str]):
        self._slots = slots
        self._pieces = pieces
        self._closed = False

    def __iter__(self):
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces).encode()
        except StopIteration:
            self.close()
            raise
        except BaseException as error:
            log.warning("an answer broke off", reason=repr(error))
            self.close()
            raise

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._pieces.close()
            self._slots.give_back()
