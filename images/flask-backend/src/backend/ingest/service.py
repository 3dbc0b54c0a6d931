"""The ingest as the API shows it: counters, rates between two looks, and a live tail."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

from backend.context import Services
from backend.events.streams import frame
from backend.fan_in import Arrival, from_every_node
from backend.guard.client import ask_all
from backend.ingest import client
from backend.status.fast_path import FastPathError

SHOWN_PER_SECOND = 100
PAYLOAD_BYTES = 256
_OLDEST_SAMPLE_SECONDS = 60.0
_NEWEST_SAMPLE_SECONDS = 0.5


class Rates:
    """Remembers the counters of the last look at each stream; rates are over the time between two looks."""

    def __init__(self):
        self._lock = threading.Lock()
        self._samples: dict[tuple[str, int], tuple[float, int, int]] = {}

    def fill(self, address: str, stream: dict) -> None:
        """Set the rates of a stream, where an earlier look allows."""
        dropped = sum(loss["datagrams"] for loss in stream["counters"]["dropped"])
        received, clock = stream["counters"]["received"], time.monotonic()
        key = (address, stream["port"])
        with self._lock:
            before = self._samples.get(key)
            age = clock - before[0] if before else 0.0
            if before is None or age > _NEWEST_SAMPLE_SECONDS:
                self._samples[key] = (clock, received, dropped)
        if before and _NEWEST_SAMPLE_SECONDS < age < _OLDEST_SAMPLE_SECONDS and received >= before[1]:
            stream["received_per_second"] = round((received - before[1]) / age, 1)
            stream["dropped_per_second"] = round(max(0, dropped - before[2]) / age, 1)


_RATES = Rates()


def list_streams(services: Services) -> dict:
    """The body of `GET /api/v1/ingest/streams`: answers in any state of the nodes."""
    if not services.fast_path.installed:
        return {"state": "not_installed", "detail": "GO_BACKEND_TARGET is empty", "nodes": []}
    try:
        channels = services.fast_path.channels()
    except FastPathError as error:
        return {"state": "unavailable", "detail": str(error), "nodes": []}
    answers = ask_all(channels, client.streams_calls)
    nodes = [client.node_document(address, answer) for address, answer in sorted(answers.items())]
    for node in nodes:
        for stream in node["streams"]:
            _RATES.fill(node["address"], stream)
    running = any(not node["error"] for node in nodes)
    detail = "" if running else "no node answers"
    return {"state": "running" if running else "unavailable", "detail": detail, "nodes": nodes}


def tail(services: Services, ports: list[int]) -> Iterator[str | None]:
    """Frames of a live tail over all nodes. Raises a 503 `Problem` when there is no fast path to look at."""
    return _frames(from_every_node(services, lambda channel: client.subscribe(channel, ports)))


def _frames(arrivals: Iterator[Arrival]) -> Iterator[str | None]:
    second, shown, skipped = 0, 0, 0
    with closing(arrivals):
        for arrival in arrivals:
            if int(time.monotonic()) != second:
                if skipped:
                    yield frame("skipped", {"datagrams": skipped})
                second, shown, skipped = int(time.monotonic()), 0, 0
            if arrival is None:
                yield None
                continue
            address, answer = arrival
            if isinstance(answer, str):
                yield frame("error", {"address": address, "detail": answer})
                continue
            room = max(0, SHOWN_PER_SECOND - shown)
            for item in answer.datagrams[:room]:
                yield frame("datagram", {"address": address, **client.datagram(item, PAYLOAD_BYTES)})
            shown += len(answer.datagrams)
            skipped += max(0, len(answer.datagrams) - room)
            for loss in answer.losses:
                yield frame("loss", {"address": address, "port": loss.port, "losses": client.losses(loss.losses)})
            yield None
