"""The queue: Huey over Redis, or in memory where there is no Redis. It carries ids of jobs, nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext

from huey import MemoryHuey, RedisHuey
from huey.registry import Message
from huey.serializer import Serializer
from redis import ConnectionPool, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from backend.config import Settings
from backend.tracing import redis_span

# Longer than the blocking read of a worker (1 s), short enough for a request that enqueues.
_SOCKET_TIMEOUT_SECONDS = 2.5
_CONNECT_TIMEOUT_SECONDS = 0.5


class QueueUnavailable(Exception):
    """Redis does not answer; the text is one line."""


class JsonSerializer(Serializer):
    """JSON and not pickle: whoever can write to Redis must not be able to run code here."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps([data.id, data.name, data.args]).encode()

    def _deserialize(self, data: bytes) -> Message:
        identity, name, arguments = json.loads(data)
        return Message(identity, name, retries=0, retry_delay=0, args=tuple(arguments), kwargs={})


class JobQueue:
    """Sends ids of jobs to the workers.

    Args:
        settings: where Redis is; without Redis the queue lives in this process.
        run: called in a worker with the id of a job.
    """

    def __init__(self, settings: Settings, run: Callable[[str], None] | None = None):
        self.huey = _huey(settings)
        self._run = run or _nobody
        self._task = self.huey.task(name="run-job")(lambda job_id: self._run(job_id))
        self._in_memory = not settings.redis_host

    def receive(self, run: Callable[[str], None]) -> None:
        """Say who runs the jobs of a queue in memory."""
        self._run = run

    def check(self) -> None:
        """Return when the queue takes messages. Raises `QueueUnavailable`."""
        self._guarded(lambda: self._in_memory or self.huey.storage.conn.ping())

    def send(self, job_id: str) -> None:
        """Tell a worker of a job; telling twice is harmless. Raises `QueueUnavailable`."""
        with redis_span("LPUSH") if not self._in_memory else nullcontext():
            self._guarded(lambda: self._task(job_id))

    def length(self) -> int:
        """Number of messages that no worker has taken yet. Raises `QueueUnavailable`."""
        return self._guarded(self.huey.storage.queue_size)

    @staticmethod
    def _guarded(work: Callable):
        try:
            return work()
        except (RedisError, OSError) as error:
            raise QueueUnavailable(f"{type(error).__name__}: {error}"[:200]) from None


def _nobody(job_id: str) -> None:
    raise RuntimeError(f"job {job_id} was delivered to a process that runs no jobs")


def _huey(settings: Settings):
    options = {"results": False, "serializer": JsonSerializer()}
    if not settings.redis_host:
        return MemoryHuey("triptych", **options)
    pool = ConnectionPool(
        host=settings.redis_host,
        port=settings.redis_port,
        password=settings.redis_password.get_secret_value() if settings.redis_password else None,
        socket_timeout=_SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )
    return RedisHuey("triptych", connection_pool=pool, **options)
