"""The ingest front against a real gRPC server."""

from __future__ import annotations

import ipaddress
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from api_client import ApiClient, assert_problem, make_settings

from backend.app import create_app
from backend.grpc_gen.ingest.v1 import ingest_pb2 as pb
from backend.grpc_gen.ingest.v1 import ingest_pb2_grpc
from backend.grpc_gen.status.v1 import status_pb2, status_pb2_grpc
from backend.ingest import service


class IngestNode(ingest_pb2_grpc.IngestServiceServicer, status_pb2_grpc.StatusServiceServicer):
    """A node with one port; it sends `count` datagrams to each subscriber and waits for it to go."""

    def __init__(self):
        self.received, self.count = 1000, 3
        self.cancelled = threading.Event()

    def GetStatus(self, request, context):
        return status_pb2.GetStatusResponse(node_name="worker2")

    def ListStreams(self, request, context):
        self.received += 500
        dropped = [pb.Loss(cause=pb.DROP_CAUSE_SLOW_CLIENT, datagrams=self.received // 10)]
        counters = pb.Counters(received=self.received, delivered=900, dropped=dropped, pending=1)
        queue = pb.Queue(name="socket-0", page_kind=pb.PAGE_KIND_ORDINARY, slots=4096, slot_bytes=2048)
        return pb.ListStreamsResponse(
            streams=[pb.Stream(port=5514, mode=pb.INGEST_MODE_SOCKET, reason="no AF_XDP", counters=counters)],
            queues=[queue],
            subscriptions=[pb.Subscription(id=1, peer="10.0.0.9", ports=[5514], counters=counters)],
        )

    def Subscribe(self, request, context):
        if request.ports and 5514 not in request.ports:
            context.abort(grpc.StatusCode.NOT_FOUND, "port 99 is not ingested")
        context.add_callback(self.cancelled.set)
        source = ipaddress.ip_address("192.0.2.9").packed
        for number in range(self.count):
            item = pb.Datagram(port=5514, source_address=source, source_port=9, sequence=number, payload=b"x" * 300)
            yield pb.SubscribeResponse(datagrams=[item])
        loss = pb.PortLoss(port=5514, losses=[pb.Loss(cause=pb.DROP_CAUSE_OVERSIZED, datagrams=2)])
        yield pb.SubscribeResponse(losses=[loss])
        self.cancelled.wait(20)


@pytest.fixture
def node():
    running = IngestNode()
    server = grpc.server(ThreadPoolExecutor(4))
    ingest_pb2_grpc.add_IngestServiceServicer_to_server(running, server)
    status_pb2_grpc.add_StatusServiceServicer_to_server(running, server)
    running.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield running
    server.stop(0)


@pytest.fixture
def client(app, settings, node):
    other = create_app(make_settings(**settings.model_dump() | {"go_backend_target": f"127.0.0.1:{node.port}"}))
    return ApiClient(other).login("admin@example.com", "admin")


def frames(answer, count: int) -> list[tuple[str, dict]]:
    """The first events of a stream."""
    found = []
    for piece in answer.iter_encoded():
        for text in piece.decode().split("\n\n"):
            lines = dict(line.partition(": ")[::2] for line in text.splitlines())
            if "event" in lines:
                found.append((lines["event"], json.loads(lines["data"])))
        if len(found) >= count:
            return found
    return found


def test_streams_and_rates(client, monkeypatch):
    monkeypatch.setattr(service, "_NEWEST_SAMPLE_SECONDS", 0)
    first = client.get("/api/v1/ingest/streams").json
    assert first["state"] == "running"
    (shown,) = first["nodes"]
    assert shown["node"] == "worker2"
    assert shown["streams"][0]["received_per_second"] is None
    assert shown["queues"][0]["numa_node"] is None
    second = client.get("/api/v1/ingest/streams").json["nodes"][0]["streams"][0]
    assert second["mode"] == "socket"
    assert second["counters"]["dropped"] == [{"cause": "slow_client", "datagrams": 200}]
    assert second["received_per_second"] > 0
    assert second["dropped_per_second"] > 0


def test_tail_shows_datagrams_and_losses_and_cancels(client, node):
    answer = client.get("/api/v1/ingest/tail?ports=5514", buffered=False)
    assert answer.mimetype == "text/event-stream"
    found = frames(answer, 4)
    assert [kind for kind, _ in found] == ["datagram"] * 3 + ["loss"]
    assert found[0][1]["source"] == "192.0.2.9"
    assert (found[0][1]["length"], len(found[0][1]["payload_hex"])) == (300, 2 * service.PAYLOAD_BYTES)
    assert found[3][1]["losses"] == [{"cause": "oversized", "datagrams": 2}]
    answer.close()
    assert node.cancelled.wait(15)
    assert client._client.application.extensions["backend"].streams.open == 0


def test_tail_shows_no_more_than_a_person_can_read(client, node, monkeypatch):
    monkeypatch.setattr(service, "SHOWN_PER_SECOND", 5)
    node.count = 1000
    started = time.monotonic()
    answer = client.get("/api/v1/ingest/tail", buffered=False)
    kinds = []
    for piece in answer.iter_encoded():
        kinds.append(piece.decode().partition("event: ")[2].partition("\n")[0])
        if kinds[-1] == "loss":
            break
    answer.close()
    assert 5 <= kinds.count("datagram") <= 5 * (time.monotonic() - started + 2)


def test_an_unknown_port_is_told(client):
    answer = client.get("/api/v1/ingest/tail?ports=99", buffered=False)
    assert "NOT_FOUND" in frames(answer, 1)[0][1]["detail"]
    answer.close()


@pytest.mark.parametrize("ports", ["0", "65536", "a", "1,", ",".join(["1"] * 17), "1\n"])
def test_refused_ports(client, ports):
    assert_problem(client.get("/api/v1/ingest/tail", query_string={"ports": ports}), 422)


def test_not_installed(admin):
    assert admin.get("/api/v1/ingest/streams").json["state"] == "not_installed"
    problem = assert_problem(admin.get("/api/v1/ingest/tail"), 503)
    assert problem["type"] == "urn:triptych:problem:fast-path-not-installed"


def test_unavailable(app, settings):
    other = create_app(make_settings(**settings.model_dump() | {"go_backend_target": "go-backend.invalid:1"}))
    client = ApiClient(other).login("admin@example.com", "admin")
    assert client.get("/api/v1/ingest/streams").json["state"] == "unavailable"
    assert_problem(client.get("/api/v1/ingest/tail"), 503)
