"""The ingest's gRPC API on every node, as dictionaries."""

from __future__ import annotations

import ipaddress

import grpc

from backend.grpc_gen.ingest.v1 import ingest_pb2 as pb
from backend.grpc_gen.ingest.v1 import ingest_pb2_grpc
from backend.grpc_gen.status.v1 import status_pb2, status_pb2_grpc

DEADLINE_SECONDS = 1.0


def streams_calls(channel: grpc.Channel) -> list:
    """Futures of ListStreams and GetStatus."""
    ingest = ingest_pb2_grpc.IngestServiceStub(channel).ListStreams
    status = status_pb2_grpc.StatusServiceStub(channel).GetStatus
    return [
        ingest.future(pb.ListStreamsRequest(), timeout=DEADLINE_SECONDS),
        status.future(status_pb2.GetStatusRequest(), timeout=DEADLINE_SECONDS),
    ]


def subscribe(channel: grpc.Channel, ports: list[int]):
    """A running Subscribe call: an iterator of answers with `cancel`."""
    stub = ingest_pb2_grpc.IngestServiceStub(channel)
    request = pb.SubscribeRequest(ports=ports, max_batch=64)
    request.max_latency.FromMilliseconds(100)
    return stub.Subscribe(request)


def node_document(address: str, answer: list | str) -> dict:
    """A node of `IngestStreamsSchema`, from the answers to `streams_calls`; its rates are null."""
    if isinstance(answer, str):
        return {"address": address, "node": "", "error": answer, "streams": [], "queues": [], "subscriptions": []}
    listed, status = answer
    return {
        "address": address,
        "node": status.node_name,
        "error": "",
        "streams": [_stream(item) for item in listed.streams],
        "queues": [_queue(item) for item in listed.queues],
        "subscriptions": [
            {"id": item.id, "peer": item.peer, "ports": list(item.ports), "counters": _counters(item.counters)}
            for item in listed.subscriptions
        ],
    }


def datagram(item: pb.Datagram, payload_bytes: int) -> dict:
    """A datagram, its payload cut and in hexadecimal."""
    return {
        "port": item.port,
        "source": str(ipaddress.ip_address(item.source_address)) if item.source_address else "",
        "source_port": item.source_port,
        "received_at_ns": str(item.receive_time_unix_nano),
        "sequence": item.sequence,
        "length": len(item.payload),
        "payload_hex": item.payload[:payload_bytes].hex(),
    }


def losses(items) -> list[dict]:
    """Lost datagrams by cause."""
    return [{"cause": _name(pb.DropCause, item.cause, "DROP_CAUSE_"), "datagrams": item.datagrams} for item in items]


def _stream(item: pb.Stream) -> dict:
    return {
        "port": item.port,
        "mode": _name(pb.IngestMode, item.mode, "INGEST_MODE_"),
        "reason": item.reason,
        "counters": _counters(item.counters),
        "subscribers": item.subscribers,
        "received_per_second": None,
        "dropped_per_second": None,
    }


def _counters(item: pb.Counters) -> dict:
    return {
        "received": item.received,
        "delivered": item.delivered,
        "pending": item.pending,
        "dropped": losses(item.dropped),
    }


def _queue(item: pb.Queue) -> dict:
    return {
        "name": item.name,
        "numa_node": item.numa_node if item.HasField("numa_node") else None,
        "page_kind": _name(pb.PageKind, item.page_kind, "PAGE_KIND_"),
        "reason": item.reason,
        **{
            name: getattr(item, name)
            for name in ("slots", "slot_bytes", "slots_in_use", "rx_ring_full", "fill_ring_empty")
        },
    }


def _name(enum, number: int, prefix: str) -> str:
    try:
        return enum.Name(number).removeprefix(prefix).lower()
    except ValueError:
        # A newer server than this client.
        return f"unknown_{number}"
