"""The kinds of jobs: what each does, who may start it, and when it starts by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from marshmallow import Schema

from backend.context import Services
from backend.fields import StrictSchema
from backend.jobs import store

REPORT_SECONDS = 1.0
_BUFFER_CHARACTERS = 16_000


class JobCancelled(Exception):
    """Somebody cancelled the job, or another worker has it now."""


class JobInterrupted(Exception):
    """This worker ends; the job will start again elsewhere."""


class JobFailed(Exception):
    """The job cannot succeed; the text tells its user why."""


class JobContext:
    """What a running job has: services, input, output and progress.

    Args:
        stopping: set when the worker is to end.
    """

    def __init__(self, services: Services, job: dict, worker: str, stopping: threading.Event):
        self.services = services
        self.job = job
        self._worker = worker
        self._stopping = stopping
        self._reported_at = 0.0
        self._buffer: list[str] = []
        self._buffered = 0

    def progress(self, done: int, total: int) -> None:
        """Say how far the job is; call it often, it writes at most every `REPORT_SECONDS`.

        Raises:
            JobCancelled, JobInterrupted: end now.
        """
        if self._stopping.is_set():
            raise JobInterrupted
        if time.monotonic() - self._reported_at < REPORT_SECONDS and done != total:
            return
        self._reported_at = time.monotonic()
        if not store.report(self.services.database, self.job["id"], self._worker, done, total):
            raise JobCancelled

    def input(self) -> Iterator[str]:
        """The text that came with the job, piece by piece."""
        return store.content(self.services.database, self.job["id"], "in")

    def write(self, text: str) -> None:
        """Add to the output, a text file that can be downloaded. Raises `JobCancelled`."""
        self._buffer.append(text)
        self._buffered += len(text)
        if self._buffered >= _BUFFER_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Store what `write` has collected. Raises `JobCancelled`."""
        text, self._buffer, self._buffered = "".join(self._buffer), [], 0
        if text and not store.append_output(self.services.database, self.job["id"], self._worker, text):
            raise JobCancelled


@dataclass(frozen=True)
class Kind:
    """One kind of job.

    Attributes:
        run: does the job; must be harmless when repeated from its start. Its result is a small JSON object.
        starters: roles that may start it and read its output; empty: schedules only.
        arguments: schema of the arguments.
        content: name of the argument that is input text of any length, kept apart and not shown.
        media_type, file_name: of the output.
        every_seconds: period of its schedule; 0 for none.
    """

    name: str
    run: Callable[[JobContext], dict | None]
    starters: frozenset[str] = frozenset()
    arguments: type[Schema] = StrictSchema
    content: str = ""
    media_type: str = "text/plain"
    file_name: str = ""
    every_seconds: int = 0


KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Add a kind; a name is used once."""
    if kind.name in KINDS:
        raise ValueError(f"two kinds of jobs are called {kind.name}")
    KINDS[kind.name] = kind


def load_kinds() -> dict[str, Kind]:
    """All kinds; imports the modules that register them."""
    from backend.jobs import audit_export, maintenance, users_csv  # noqa: F401

    return KINDS
