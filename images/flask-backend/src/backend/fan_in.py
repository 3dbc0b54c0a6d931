"""Many server streams of the Go backend, read as one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import grpc

from backend.context import Services
from backend.guard.client import error_line
from backend.problems import Problem
from backend.status.fast_path import FastPathError

_QUEUE_LENGTH = 1000
_PATIENCE_SECONDS = 30
# An answer with the address of its node, one line about a node's error, or None while nothing arrives.
Arrival = tuple[str, object] | None


def from_every_node(services: Services, start: Callable[[grpc.Channel], object]) -> Iterator[Arrival]:
    """Start a streaming call to every node and return what arrives; closing it cancels the calls.

    Raises:
        Problem: 503 when there is no fast path.
    """
    if not services.fast_path.installed:
        raise Problem(503, "The fast path is not installed (GO_BACKEND_TARGET is empty).", "fast-path-not-installed")
    try:
        channels = services.fast_path.channels()
    except FastPathError as error:
        raise Problem(503, f"The fast path does not answer: {error}", "fast-path-unavailable", retry_after=5) from None
    return _arrivals(channels, start)


def _arrivals(channels: dict[str, grpc.Channel], start: Callable[[grpc.Channel], object]) -> Iterator[Arrival]:
    arrived: queue.Queue[Arrival] = queue.Queue(_QUEUE_LENGTH)
    calls = {address: start(channel) for address, channel in channels.items()}
    for address, call in calls.items():
        threading.Thread(target=_collect, args=(address, call, arrived), name="fan-in", daemon=True).start()
    try:
        while True:
            try:
                yield arrived.get(timeout=0.5)
            except queue.Empty:
                yield None
    finally:
        for call in calls.values():
            call.cancel()


def _collect(address: str, call, arrived: queue.Queue) -> None:
    # A full queue makes this wait, and the node counts what the slow client loses: nothing piles up here.
    try:
        for answer in call:
            arrived.put((address, answer), timeout=_PATIENCE_SECONDS)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.CANCELLED:
            arrived.put((address, error_line(error)), timeout=_PATIENCE_SECONDS)
    except queue.Full:
        call.cancel()
