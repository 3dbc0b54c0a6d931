"""How many connections one process may use at once, and how it goes with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydal import DAL

from backend.database import errors

WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class PoolStatistics:
    """A moment of one pool; the counters grow as long as the process lives.

    Attributes:
        size: connections that may be in use at once.
        in_use: connections that are.
        waits: transactions that had to wait for one.
        wait_seconds: how long they waited in sum.
        refused: transactions that waited in vain and became a 503.
    """

    size: int
    in_use: int
    waits: int
    wait_seconds: float
    refused: int


class Pool:
    """The connections of one DAL. PyDAL's own `pool_size` bounds only the idle ones.

    Args:
        size: connections that may be in use at once.
        wait: seconds that a transaction waits for one.
    """

    def __init__(self, dal: DAL, size: int, wait: float = WAIT_SECONDS):
        self.dal = dal
        self._size, self._wait = size, wait
        self._free = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._in_use = self._waits = self._refused = 0
        self._wait_seconds = 0.0

    @contextmanager
    def connection(self, write: bool) -> Iterator[DAL]:
        """The DAL in a new transaction of this thread, rolled back at the end unless it was committed.

        Args:
            write: False for statements that write nothing and need no common snapshot.

        Raises:
            DatabaseUnavailable: no connection became free in time.
        """
        self._acquire()
        adapter, healthy = self.dal._adapter, False
        try:
            if write:
                adapter.begin(write=True)
            else:
                adapter.begin_reads()
            yield self.dal
            healthy = True
        except Exception as error:
            healthy = not errors.unavailable(error) and not isinstance(error, errors.DatabaseUnavailable)
            raise
        finally:
            adapter.release(healthy)
            with self._lock:
                self._in_use -= 1
            self._free.release()

    def statistics(self) -> PoolStatistics:
        with self._lock:
            return PoolStatistics(self._size, self._in_use, self._waits, self._wait_seconds, self._refused)

    def _acquire(self) -> None:
        if not self._free.acquire(blocking=False):
            self._queue()
        with self._lock:
            self._in_use += 1

    def _queue(self) -> None:
        started = time.monotonic()
        got = self._free.acquire(timeout=self._wait)
        with self._lock:
            self._waits += 1
            self._wait_seconds += time.monotonic() - started
            self._refused += not got
        if not got:
            raise errors.DatabaseUnavailable(f"all {self._size} connections were in use for {self._wait:g} s")
