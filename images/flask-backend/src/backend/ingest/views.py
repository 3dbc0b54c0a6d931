"""Endpoints of the UDP ingest."""

from __future__ import annotations

from marshmallow import ValidationError, fields, validate

from backend.context import services
from backend.events.streams import stream
from backend.events.views import still_signed_in
from backend.fields import Blueprint, StrictSchema
from backend.ingest import service

blueprint = Blueprint("ingest", __name__, url_prefix="/api/v1/ingest", description="UDP ingest of the fast path")
_STATES = validate.OneOf(["running", "unavailable", "not_installed"])


class IngestLossSchema(StrictSchema):
    cause = fields.String(required=True)
    datagrams = fields.Integer(required=True)


class IngestCountersSchema(StrictSchema):
    received = fields.Integer(required=True)
    delivered = fields.Integer(required=True)
    pending = fields.Integer(required=True)
    dropped = fields.List(fields.Nested(IngestLossSchema), required=True)


class IngestStreamSchema(StrictSchema):
    port = fields.Integer(required=True)
    mode = fields.String(required=True)
    reason = fields.String(required=True)
    counters = fields.Nested(IngestCountersSchema, required=True)
    subscribers = fields.Integer(required=True)
    received_per_second = fields.Float(
        required=True, allow_none=True, metadata={"description": "Since the last look, at most a minute ago; else null"}
    )
    dropped_per_second = fields.Float(required=True, allow_none=True)


class IngestQueueSchema(StrictSchema):
    name = fields.String(required=True)
    numa_node = fields.Integer(required=True, allow_none=True)
    page_kind = fields.String(required=True)
    reason = fields.String(required=True)
    slots = fields.Integer(required=True)
    slot_bytes = fields.Integer(required=True)
    slots_in_use = fields.Integer(required=True)
    rx_ring_full = fields.Integer(required=True)
    fill_ring_empty = fields.Integer(required=True)


class IngestSubscriptionSchema(StrictSchema):
    id = fields.Integer(required=True)
    peer = fields.String(required=True)
    ports = fields.List(fields.Integer(), required=True)
    counters = fields.Nested(IngestCountersSchema, required=True)


class IngestNodeSchema(StrictSchema):
    address = fields.String(required=True)
    node = fields.String(required=True)
    error = fields.String(required=True)
    streams = fields.List(fields.Nested(IngestStreamSchema), required=True)
    queues = fields.List(fields.Nested(IngestQueueSchema), required=True)
    subscriptions = fields.List(fields.Nested(IngestSubscriptionSchema), required=True)


class IngestStreamsSchema(StrictSchema):
    state = fields.String(required=True, validate=_STATES)
    detail = fields.String(required=True)
    nodes = fields.List(fields.Nested(IngestNodeSchema), required=True)


def _port_numbers(text: str) -> None:
    parts = text.split(",") if text else []
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) <= 5]
    if len(numbers) != len(parts) or len(parts) > 16 or not all(1 <= number <= 65535 for number in numbers):
        raise ValidationError("Must be at most 16 port numbers, 1 to 65535, with commas between.")


class TailQuerySchema(StrictSchema):
    ports = fields.String(
        load_default="",
        validate=_port_numbers,
        metadata={"description": "Port numbers with commas between; all ingest ports by default"},
    )


@blueprint.get("/streams")
@blueprint.response(200, IngestStreamsSchema)
def list_streams():
    """Ports, queues and subscriptions of every node, with counters and rates"""
    return service.list_streams(services())


@blueprint.get("/tail")
@blueprint.arguments(TailQuerySchema, location="query")
@blueprint.response(200, {"type": "string"}, content_type="text/event-stream")
def tail(query):
    """A live look at the datagrams (Server-Sent Events), cut to what a person can read"""
    own = services()
    ports = [int(part) for part in query["ports"].split(",") if part]
    return stream(own.streams, still_signed_in(own), service.tail(own, ports))
