"""Bodies of `GET /api/v1/status` and of what is below it."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from backend.fields import UtcDateTime


class ComponentSchema(Schema):
    name = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(["healthy", "unavailable", "not_installed"]))
    detail = fields.String(required=True)
    latency_ms = fields.Float(required=True)


class NumaNodeSchema(Schema):
    id = fields.Integer(required=True)
    cpus = fields.String(required=True)
    memory_bytes = fields.Integer(required=True)


class HugepagesSchema(Schema):
    size_bytes = fields.Integer(required=True)
    total = fields.Integer(required=True)
    free = fields.Integer(required=True)


class CounterSchema(Schema):
    protocol = fields.String(required=True)
    packets = fields.Integer(required=True)
    bytes = fields.Integer(required=True)


class NodeGuardSchema(Schema):
    enforcing = fields.Boolean(required=True)
    reason = fields.String(required=True)
    revision = fields.Integer(required=True)
    rules = fields.Integer(required=True)


class NodeIngestSchema(Schema):
    mode = fields.String(required=True)
    reason = fields.String(required=True)
    ports = fields.List(fields.Integer(), required=True)
    subscriptions = fields.Integer(required=True)


class NodeSchema(Schema):
    node = fields.String(required=True)
    version = fields.String(required=True)
    kernel = fields.String(required=True)
    xdp_mode = fields.String(required=True)
    interface = fields.String(required=True)
    reason = fields.String(required=True)
    guard = fields.Nested(NodeGuardSchema, required=True)
    ingest = fields.Nested(NodeIngestSchema, required=True)
    numa_nodes = fields.List(fields.Nested(NumaNodeSchema), required=True)
    hugepages = fields.List(fields.Nested(HugepagesSchema), required=True)
    counters = fields.List(fields.Nested(CounterSchema), required=True)


class FastPathSchema(Schema):
    state = fields.String(required=True, validate=validate.OneOf(["running", "unavailable", "not_installed"]))
    nodes = fields.List(fields.Nested(NodeSchema), required=True)


class StatusSchema(Schema):
    version = fields.String(required=True)
    environment = fields.String(required=True)
    database_engine = fields.String(required=True)
    schema_version = fields.Integer(required=True, allow_none=True)
    components = fields.List(fields.Nested(ComponentSchema), required=True)
    fast_path = fields.Nested(FastPathSchema, required=True)


class TrafficPointSchema(Schema):
    at = UtcDateTime(required=True, metadata={"description": "When the step began"})
    requests = fields.Integer(required=True)
    failures = fields.Integer(required=True, metadata={"description": "Requests answered with 5xx"})
    logins = fields.Integer(required=True)
    refused_logins = fields.Integer(required=True, metadata={"description": "Wrong or throttled"})


class TrafficSchema(Schema):
    scope = fields.String(
        required=True,
        validate=validate.OneOf(["platform", "replica"]),
        metadata={"description": "Whose: of all replicas, or without Redis of the one that answers"},
    )
    step_seconds = fields.Integer(required=True)
    points = fields.List(
        fields.Nested(TrafficPointSchema), required=True, metadata={"description": "Steps that are over, oldest first"}
    )
