"""What runs beside the requests: workers of the queue and loops, in a process of their own or in the server's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from huey.consumer import Consumer

from backend.context import Services
from backend.database.errors import DatabaseUnavailable
from backend.jobs import leases, schedules, store
from backend.jobs.queue import JobQueue, QueueUnavailable
from backend.jobs.runner import JobRunner

log = structlog.get_logger(__name__)
DRAIN_SECONDS = 20
LEASE_SECONDS = 15
_ASK_SECONDS = 5.0


@dataclass(frozen=True)
class Loop:
    """Work that repeats.

    Attributes:
        lease: name of the lease that a process needs for it; empty: every process does it.
    """

    name: str
    work: Callable[[], None]
    every_seconds: float
    lease: str = ""


class _Consumer(Consumer):
    """Huey's consumer without its signal handlers: the process that embeds it has its own."""

    def _set_signal_handlers(self) -> None:
        pass


class Background:
    """Threads that run jobs and loops until `stop`.

    Args:
        threads: how many jobs run at once.
        loops: besides the job system's own.
    """

    def __init__(self, services: Services, threads: int, loops: list[Loop] = ()):
        self._services = services
        self.name = leases.holder_name()
        self._stopping = threading.Event()
        runner = JobRunner(services, self.name, self._stopping)
        self._queue = _receiving_queue(services, runner)
        self._consumer = _Consumer(
            self._queue.huey,
            workers=threads,
            periodic=False,
            initial_delay=0.1,
            max_delay=1.0,
            scheduler_interval=60,
            check_worker_health=False,
        )
        own = [
            Loop("job heartbeat", lambda: store.beat(services.database, self.name), 5),
            Loop("job sweep", self._sweep, 10, "job-sweep"),
            Loop("job schedules", self._schedule, 20),
        ]
        self._loops = [threading.Thread(target=self._run, args=(loop,), name=loop.name) for loop in [*own, *loops]]
        self.beats: dict[str, float] = {}
        self._leases: dict[str, tuple[bool, float]] = {}

    def start(self) -> None:
        """Start all threads and return."""
        self._consumer.start()
        for thread in self._loops:
            thread.daemon = True
            thread.start()

    def stop(self) -> None:
        """Let running jobs end, or give them back after a while, and free the leases; within `DRAIN_SECONDS`."""
        self._consumer.stop_flag.set()
        end = time.monotonic() + DRAIN_SECONDS
        workers = [thread for _, thread in self._consumer.worker_threads]
        for thread in workers:
            thread.join(max(0.0, (end - time.monotonic()) / 2))
        self._stopping.set()
        for thread in [*workers, *self._loops]:
            thread.join(max(0.1, end - time.monotonic()))

    def _sweep(self) -> None:
        for job_id in store.sweep(self._services.database):
            self._queue.send(job_id)

    def _schedule(self) -> None:
        for job_id in schedules.due(self._services.database):
            self._queue.send(job_id)

    def _run(self, loop: Loop) -> None:
        try:
            while not self._stopping.is_set():
                self._once(loop)
                self.beats[loop.name] = time.monotonic()
                self._stopping.wait(loop.every_seconds)
        finally:
            self._free(loop)

    def _once(self, loop: Loop) -> None:
        try:
            if loop.lease and not self._holds(loop.lease):
                return
            loop.work()
        except (DatabaseUnavailable, QueueUnavailable) as error:
            log.warning("loop waits", loop=loop.name, reason=str(error))
        except Exception:
            log.exception("loop failed, goes on", loop=loop.name)

    def _holds(self, lease: str) -> bool:
        """Whether this process has the lease; the database is asked every `_ASK_SECONDS` only."""
        held, asked_at = self._leases.get(lease, (False, 0.0))
        if time.monotonic() - asked_at >= _ASK_SECONDS:
            asked_at = time.monotonic()
            held = leases.acquire(self._services.database, lease, self.name, LEASE_SECONDS)
            self._leases[lease] = held, asked_at
        return held

    def _free(self, loop: Loop) -> None:
        if not loop.lease:
            return
        try:
            leases.release(self._services.database, loop.lease, self.name)
        except DatabaseUnavailable:
            log.info("lease not freed, it ends by itself", lease=loop.lease)


def _receiving_queue(services: Services, runner: JobRunner) -> JobQueue:
    if services.settings.redis_host:
        return JobQueue(services.settings, runner.run)
    # In memory, sender and receiver are one object.
    services.queue.receive(runner.run)
    return services.queue
