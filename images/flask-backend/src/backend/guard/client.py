"""The guard's gRPC API on every node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

import grpc

from backend.grpc_gen.guard.v1 import guard_pb2 as pb
from backend.grpc_gen.guard.v1 import guard_pb2_grpc
from backend.grpc_gen.status.v1 import status_pb2, status_pb2_grpc

DEADLINE_SECONDS = 1.0
APPLY_SECONDS = 30.0
RULES_PER_MESSAGE = 1000
_ACTIONS = {"allow": pb.ACTION_ALLOW, "deny": pb.ACTION_DENY, "rate": pb.ACTION_RATE}
_DEFAULTS = {"pass": pb.DEFAULT_ACTION_PASS, "drop": pb.DEFAULT_ACTION_DROP}
_MODES = {status_pb2.XDP_MODE_NATIVE: "native", status_pb2.XDP_MODE_GENERIC: "generic", status_pb2.XDP_MODE_OFF: "off"}


def ask_all(channels: dict[str, grpc.Channel], start: Callable[[grpc.Channel], list]) -> dict[str, list | str]:
    """Ask all nodes at once.

    Args:
        channels: by address.
        start: returns the futures of the calls to one node.

    Returns:
        The answers of each address, or one line about its error.
    """
    calls = {address: start(channel) for address, channel in channels.items()}
    answers: dict[str, list | str] = {}
    for address, futures in calls.items():
        try:
            answers[address] = [future.result() for future in futures]
        except grpc.RpcError as error:
            answers[address] = error_line(error)
    return answers


def revision_calls(channel: grpc.Channel) -> list:
    """Futures of GetRevision and GetStatus."""
    return [
        guard_pb2_grpc.GuardServiceStub(channel).GetRevision.future(pb.GetRevisionRequest(), timeout=DEADLINE_SECONDS),
        status_pb2_grpc.StatusServiceStub(channel).GetStatus.future(
            status_pb2.GetStatusRequest(), timeout=DEADLINE_SECONDS
        ),
    ]


def status_calls(channel: grpc.Channel) -> list:
    """Futures of GetRevision, GetStatus and ListTopSources."""
    top = guard_pb2_grpc.GuardServiceStub(channel).ListTopSources
    request = pb.ListTopSourcesRequest(limit=10)
    return [*revision_calls(channel), top.future(request, timeout=DEADLINE_SECONDS)]


def apply(channel: grpc.Channel, policy: dict, rules: list[dict], force: bool) -> pb.ApplyRevisionResponse:
    """Replace a node's rules by a whole revision. Raises `grpc.RpcError`."""
    stub = guard_pb2_grpc.GuardServiceStub(channel)
    return stub.ApplyRevision(_messages(policy, rules, force), timeout=APPLY_SECONDS)


def list_states(channel: grpc.Channel) -> Iterator[pb.RuleState]:
    """The rules in force on a node with their counters. Raises `grpc.RpcError`."""
    stub = guard_pb2_grpc.GuardServiceStub(channel)
    for answer in stub.ListRules(pb.ListRulesRequest(), timeout=DEADLINE_SECONDS * 3):
        yield from answer.rules


def watch(channel: grpc.Channel):
    """A running WatchEvents call: an iterator of answers with `cancel`."""
    return guard_pb2_grpc.GuardServiceStub(channel).WatchEvents(pb.WatchEventsRequest())


def drop_document(event: pb.DropEvent) -> dict:
    """A sample of dropped packets."""
    names = ("rule_id", "source", "destination", "protocol", "source_port", "destination_port", "length", "weight")
    return {
        "time": _rfc3339(event.time.ToDatetime(UTC)),
        "verdict": pb.Verdict.Name(event.verdict).removeprefix("VERDICT_").lower(),
        **{name: getattr(event, name) for name in names},
    }


def node_document(address: str, answer: list | str, wanted: int) -> dict:
    """A node of `GuardStatusSchema`, from the answers to `status_calls`."""
    if isinstance(answer, str):
        return _silent_node(address, answer)
    revision, status, top = answer
    applied_at = revision.applied_at.ToDatetime(UTC) if revision.HasField("applied_at") else None
    return {
        "address": address,
        "node": status.node_name,
        "error": "",
        "xdp_mode": _MODES.get(status.xdp.mode, "unknown"),
        "enforcing": revision.enforcement.enforcing,
        "reason": revision.enforcement.reason,
        "revision": revision.revision,
        "up_to_date": revision.revision == wanted,
        "applied_at": _rfc3339(applied_at),
        "rules": revision.rules,
        "fail_safe_ports": list(revision.fail_safe_ports),
        "counters": [_verdict(counter) for counter in revision.counters],
        "top_sources": [_source(source) for source in top.sources],
    }


def error_line(error: grpc.RpcError) -> str:
    """One line about a failed call."""
    return f"{error.code().name}: {error.details()}"[:300]


def _silent_node(address: str, error: str) -> dict:
    nothing = {"enforcing": False, "reason": "", "revision": 0, "up_to_date": False, "applied_at": None, "rules": 0}
    lists = {"fail_safe_ports": [], "counters": [], "top_sources": []}
    return {"address": address, "node": "", "error": error, "xdp_mode": "unknown", **nothing, **lists}


def _messages(policy: dict, rules: list[dict], force: bool) -> Iterable[pb.ApplyRevisionRequest]:
    source_limit = pb.RateLimit(**policy["source_limit"]) if policy["source_limit"] else None
    sent_policy = pb.Policy(default_action=_DEFAULTS[policy["default_action"]], source_limit=source_limit)
    header = pb.RevisionHeader(revision=policy["revision"], force=force, policy=sent_policy)
    yield pb.ApplyRevisionRequest(header=header)
    for start in range(0, len(rules), RULES_PER_MESSAGE):
        batch = [_rule(rule) for rule in rules[start : start + RULES_PER_MESSAGE]]
        yield pb.ApplyRevisionRequest(rules=pb.RuleBatch(upserts=batch))


def _rule(rule: dict) -> pb.Rule:
    sent = pb.Rule(
        id=rule["id"],
        prefix=rule["prefix"],
        protocol=rule["protocol"],
        ports=[pb.PortRange(**ports) for ports in rule["ports"]],
        action=_ACTIONS[rule["action"]],
        limit=pb.RateLimit(**rule["limit"]) if rule["limit"] else None,
        owner=rule["owner"],
        comment=rule["comment"],
        count_only=bool(rule["count_only"]),
    )
    if rule["expires_at"] is not None:
        sent.expires_at.FromDatetime(rule["expires_at"])
    return sent


def _verdict(counter: pb.VerdictCounter) -> dict:
    name = pb.Verdict.Name(counter.verdict).removeprefix("VERDICT_").lower()
    return {"verdict": name, "protocol": counter.protocol, "packets": counter.packets, "bytes": counter.bytes}


def _source(source: pb.SourceEstimate) -> dict:
    return {name: getattr(source, name) for name in ("source", "packets", "dropped_packets", "error")}


def _rfc3339(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
