"""Brings the rules of the database to every node, and again to a node that restarted or was away."""

from __future__ import annotations

import grpc
import structlog

from backend.context import Services
from backend.events.outbox import emit
from backend.guard import client, rules
from backend.status.fast_path import FastPathError

log = structlog.get_logger(__name__)


class Reconciler:
    """The loop behind the guard; `step` compares what is wanted with what each node has."""

    def __init__(self, services: Services):
        self._services = services
        self._told: dict[str, tuple] = {}

    def step(self) -> None:
        """Expire rules, then push the current revision where another one is in force. Raises `DatabaseUnavailable`."""
        database = self._services.database
        while rules.expire(database):
            pass
        if not self._services.fast_path.installed:
            return
        try:
            channels = self._services.fast_path.channels()
        except FastPathError as error:
            self._tell({"": ("unreachable", str(error))})
            return
        wanted = database.read(rules.revision)
        answers = client.ask_all(channels, client.revision_calls)
        behind = [address for address, answer in answers.items() if _revision(answer) not in (None, wanted)]
        if behind:
            self._push(channels, answers, behind)
            answers |= client.ask_all({address: channels[address] for address in behind}, client.revision_calls)
        self._tell({address: _summary(answer) for address, answer in answers.items()})

    def _push(self, channels: dict[str, grpc.Channel], answers: dict, behind: list[str]) -> None:
        policy, live = rules.snapshot(self._services.database)
        for address in behind:
            # A node ahead of the database has rules of a database that was restored since.
            force = _revision(answers[address]) > policy["revision"]
            outcome = "applied"
            try:
                answer = client.apply(channels[address], policy, live, force)
                log.info("guard revision applied", node=address, revision=answer.revision, rules=answer.rules)
            except grpc.RpcError as error:
                outcome = "failed"
                log.warning("guard revision refused", node=address, reason=client.error_line(error))
            self._services.metrics.guard_pushes.labels(outcome).inc()

    def _tell(self, nodes: dict[str, tuple]) -> None:
        """Emit an event for each node whose summary is another than the last time."""
        changed = {address: summary for address, summary in nodes.items() if self._told.get(address) != summary}
        gone = self._told.keys() - nodes.keys()
        if changed or gone:
            events = [
                {"address": address, "state": state, "detail": detail} for address, (state, detail) in changed.items()
            ]
            events += [{"address": address, "state": "gone", "detail": ""} for address in gone]
            self._services.database.write(lambda db: [emit(db, "guard.status", event) for event in events])
        self._told = nodes


def _revision(answer: list | str) -> int | None:
    return None if isinstance(answer, str) else answer[0].revision


def _summary(answer: list | str) -> tuple[str, str]:
    if isinstance(answer, str):
        return "unreachable", answer
    state = "enforcing" if answer[0].enforcement.enforcing else "not_enforcing"
    return state, f"revision {answer[0].revision}"
