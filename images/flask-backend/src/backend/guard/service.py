"""The guard as the API shows it: state of every node and hits of every rule."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import grpc

from backend.context import Services
from backend.events.streams import frame
from backend.fan_in import Arrival, from_every_node
from backend.guard import client, rules
from backend.status.fast_path import FastPathError

_POOL = ThreadPoolExecutor(8, thread_name_prefix="guard")


def guard_status(services: Services) -> dict:
    """The body of `GET /api/v1/guard/status`: answers in any state of the nodes."""
    wanted = services.database.read(rules.revision)
    document = {"state": "not_installed", "detail": "GO_BACKEND_TARGET is empty", "revision": wanted, "nodes": []}
    if not services.fast_path.installed:
        return document
    try:
        channels = services.fast_path.channels()
    except FastPathError as error:
        return document | {"state": "unavailable", "detail": str(error)}
    answers = client.ask_all(channels, client.status_calls)
    nodes = [client.node_document(address, answer, wanted) for address, answer in sorted(answers.items())]
    running = any(not node["error"] for node in nodes)
    detail = (
        "" if running else "no node answers: " + next((node["error"] for node in nodes), "the Service has no address")
    )
    return document | {"state": "running" if running else "unavailable", "detail": detail, "nodes": nodes}


def rule_counters(services: Services) -> dict:
    """Hits of every rule, summed over the nodes that answer."""
    if not services.fast_path.installed:
        return {"state": "not_installed", "nodes": 0, "counters": []}
    try:
        channels = services.fast_path.channels()
    except FastPathError:
        return {"state": "unavailable", "nodes": 0, "counters": []}
    answers = [answer for answer in _POOL.map(_states, channels.values()) if answer is not None]
    sums: dict[str, list[int]] = {}
    for states in answers:
        for state in states:
            total = sums.setdefault(state.rule.id, [0, 0, 0])
            for index, number in enumerate((state.packets, state.bytes, state.over_limit_packets)):
                total[index] += number
    counters = [
        {"rule_id": rule_id, "packets": packets, "bytes": size, "over_limit_packets": over}
        for rule_id, (packets, size, over) in sorted(sums.items())
    ]
    return {"state": "running" if answers else "unavailable", "nodes": len(answers), "counters": counters}


def watch_drops(services: Services) -> Iterator[str | None]:
    """Frames of sampled drops on all nodes. Raises a 503 `Problem` when there is no fast path."""
    return _drop_frames(from_every_node(services, client.watch))


def _drop_frames(arrivals: Iterator[Arrival]) -> Iterator[str | None]:
    with closing(arrivals):
        for arrival in arrivals:
            if arrival is None:
                yield None
                continue
            address, answer = arrival
            if isinstance(answer, str):
                yield frame("error", {"address": address, "detail": answer})
                continue
            if answer.lost_events:
                yield frame("lost", {"address": address, "events": answer.lost_events})
            if answer.HasField("event"):
                yield frame("drop", {"address": address, **client.drop_document(answer.event)})


def _states(channel: grpc.Channel) -> list | None:
    try:
        return list(client.list_states(channel))
    except grpc.RpcError:
        return None
