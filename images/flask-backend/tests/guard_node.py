"""A guard node that speaks the real protocol in this process: it keeps revisions as the Go backend does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

from backend.grpc_gen.guard.v1 import guard_pb2 as pb
from backend.grpc_gen.guard.v1 import guard_pb2_grpc
from backend.grpc_gen.status.v1 import status_pb2, status_pb2_grpc


class GuardNode(guard_pb2_grpc.GuardServiceServicer, status_pb2_grpc.StatusServiceServicer):
    """One node; `restart` forgets its rules, as a new pod does.

    Attributes:
        rules: in force, by id.
        applied: revisions that were accepted, in order.
        metadata: request ids of all calls.
    """

    def __init__(self, name: str = "worker2", enforcing: bool = True):
        self.name = name
        self.enforcing = enforcing
        self.refuse = ""
        self.applied: list[int] = []
        self.metadata: list[str] = []
        self._server, self.port = None, 0
        self.restart()

    def restart(self) -> None:
        self.revision, self.policy, self.rules = 0, pb.Policy(), {}

    def __enter__(self):
        self._server = grpc.server(ThreadPoolExecutor(4))
        self.add_to(self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()
        return self

    def __exit__(self, *_) -> None:
        stopped: threading.Event = self._server.stop(0)
        stopped.wait(5)

    def add_to(self, server: grpc.Server) -> None:
        guard_pb2_grpc.add_GuardServiceServicer_to_server(self, server)
        status_pb2_grpc.add_StatusServiceServicer_to_server(self, server)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def GetStatus(self, request, context):
        xdp = status_pb2.XdpStatus(mode=status_pb2.XDP_MODE_GENERIC, interface="eth0")
        return status_pb2.GetStatusResponse(node_name=self.name, version="0.1.0", xdp=xdp)

    def ApplyRevision(self, request_iterator, context):
        self._remember(context)
        parts = list(request_iterator)
        header = parts[0].header
        if self.refuse:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, self.refuse)
        if header.revision <= self.revision and not header.force:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"revision {header.revision} is not newer")
        rules = [rule for part in parts[1:] for rule in part.rules.upserts]
        self.revision, self.policy, self.rules = header.revision, header.policy, {rule.id: rule for rule in rules}
        self.applied.append(header.revision)
        return pb.ApplyRevisionResponse(revision=self.revision, rules=len(rules))

    def GetRevision(self, request, context):
        self._remember(context)
        answer = pb.GetRevisionResponse(
            revision=self.revision,
            policy=self.policy,
            rules=len(self.rules),
            enforcement=pb.Enforcement(enforcing=self.enforcing, reason="" if self.enforcing else "mode off"),
            counters=[pb.VerdictCounter(verdict=pb.VERDICT_DROP_DENIED, protocol="udp", packets=7, bytes=700)],
            fail_safe_ports=["tcp/22"],
        )
        if self.revision:
            answer.applied_at.GetCurrentTime()
        return answer

    def ListRules(self, request, context):
        for rule in self.rules.values():
            yield pb.ListRulesResponse(rules=[pb.RuleState(rule=rule, packets=3, bytes=300)], revision=self.revision)

    def ListTopSources(self, request, context):
        return pb.ListTopSourcesResponse(sources=[pb.SourceEstimate(source="192.0.2.1", packets=9, dropped_packets=7)])

    def WatchEvents(self, request, context):
        gone = threading.Event()
        context.add_callback(gone.set)
        event = pb.DropEvent(verdict=pb.VERDICT_DROP_DENIED, rule_id="r", source="192.0.2.1", protocol=6, weight=9)
        event.time.GetCurrentTime()
        yield pb.WatchEventsResponse(event=event)
        yield pb.WatchEventsResponse(lost_events=4)
        gone.wait(20)

    def _remember(self, context) -> None:
        self.metadata += [value for key, value in context.invocation_metadata() if key == "x-request-id"]
