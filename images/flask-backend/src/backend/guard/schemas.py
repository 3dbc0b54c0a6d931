"""Bodies and queries of the guard endpoints."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from backend.fields import Flag, StrictSchema, UtcDateTime, free_text, text
from backend.guard.rules import LIMITS
from backend.users.schemas import PaginationSchema

ACTIONS = ("allow", "deny", "rate")
DEFAULT_ACTIONS = ("pass", "drop")
MAX_RATE = 10_000_000
MAX_TTL_SECONDS = 10 * 365 * 86400
_TCP, _UDP = 6, 17


class Prefix(fields.String):
    """An IPv4 or IPv6 prefix in its one canonical form."""

    def _deserialize(self, value, attr, data, **kwargs):
        given = super()._deserialize(value, attr, data, **kwargs)
        try:
            network = ipaddress.ip_network(given if "%" not in given else "")
        except ValueError as error:
            raise ValidationError(f"Not a prefix: {error}. For example 192.0.2.0/24 or 2001:db8::/32.") from None
        if network.version == 6 and network.network_address.ipv4_mapped is not None and network.prefixlen >= 96:
            raise ValidationError("Write an IPv4 address as such; mapped ones are no sources.")
        return str(network)


def _strict(minimum: int, maximum: int, **options) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(min=minimum, max=maximum), **options)


class PortRangeSchema(StrictSchema):
    first = _strict(1, 65535, required=True)
    last = _strict(1, 65535, required=True)

    @validates_schema
    def check(self, data, **kwargs):
        if data["last"] < data["first"]:
            raise ValidationError("Must not be less than first.", "last")


class LimitSchema(StrictSchema):
    packets_per_second = _strict(0, MAX_RATE, load_default=0)
    packets_burst = _strict(0, MAX_RATE, load_default=0, metadata={"description": "0: one second's packets"})
    syns_per_second = _strict(0, MAX_RATE, load_default=0)
    syns_burst = _strict(0, MAX_RATE, load_default=0)

    @validates_schema
    def check(self, data, **kwargs):
        if not data["packets_per_second"] and not data["syns_per_second"]:
            raise ValidationError("Set packets_per_second or syns_per_second.", "packets_per_second")
        for rate, burst in (LIMITS[:2], LIMITS[2:]):
            if data[burst] and data[burst] * 100 < data[rate]:
                raise ValidationError(f"Must be at least a hundredth of {rate}.", burst)


def _prefix(**options) -> fields.String:
    return Prefix(validate=validate.Length(max=50), metadata={"description": "Of the source"}, **options)


def _protocol(**options) -> fields.Integer:
    return _strict(0, 255, metadata={"description": "IP protocol number; 0: any"}, **options)


def _ports(**options) -> fields.List:
    return fields.List(fields.Nested(PortRangeSchema), validate=validate.Length(max=8), **options)


def _action(**options) -> fields.String:
    return fields.String(validate=validate.OneOf(ACTIONS), **options)


def _limit(**options) -> fields.Nested:
    return fields.Nested(LimitSchema, allow_none=True, metadata={"description": "For the action rate"}, **options)


class RuleSchema(StrictSchema):
    id = fields.String(required=True)
    prefix = fields.String(required=True)
    protocol = fields.Integer(required=True)
    ports = fields.List(fields.Nested(PortRangeSchema), required=True)
    action = fields.String(required=True, validate=validate.OneOf(ACTIONS))
    limit = fields.Nested(LimitSchema, required=True, allow_none=True)
    expires_at = UtcDateTime(required=True, allow_none=True)
    owner = fields.String(required=True)
    comment = fields.String(required=True)
    count_only = Flag(required=True)
    created_at = UtcDateTime(required=True)
    updated_at = UtcDateTime(required=True)


class _RuleFields(StrictSchema):
    prefix = _prefix()
    protocol = _protocol()
    ports = _ports()
    action = _action()
    limit = _limit()
    ttl_seconds = _strict(1, MAX_TTL_SECONDS, metadata={"description": "From now; instead of expires_at"})
    expires_at = fields.AwareDateTime(allow_none=True, default_timezone=UTC)
    owner = text(1, 64)
    comment = text(0, 256)
    count_only = Flag()

    @validates_schema(skip_on_field_errors=True)
    def check_end(self, data, **kwargs):
        if data.get("expires_at") is None:
            return
        if "ttl_seconds" in data:
            raise ValidationError("Give ttl_seconds or expires_at, not both.", "expires_at")
        left = (data["expires_at"] - datetime.now(UTC)).total_seconds()
        if not 0 < left <= MAX_TTL_SECONDS:
            raise ValidationError("Must be in the future, within ten years.", "expires_at")

    @post_load
    def to_stored_form(self, data, **kwargs):
        if data.get("expires_at") is not None:
            data["expires_at"] = data["expires_at"].astimezone(UTC).replace(tzinfo=None, microsecond=0)
        return data


def rule_errors(rule: dict) -> dict:
    """Messages by field about fields that do not fit together; empty when they do."""
    errors = {}
    if rule["ports"] and rule["protocol"] not in (_TCP, _UDP):
        errors["ports"] = ["Only TCP (6) and UDP (17) have ports."]
    if rule["action"] == "rate" and rule["limit"] is None:
        errors["limit"] = ["Is needed for the action rate."]
    if rule["action"] != "rate" and rule["limit"] is not None:
        errors["limit"] = ["Is for the action rate only."]
    return errors


class RuleCreateSchema(_RuleFields):
    prefix = _prefix(required=True)
    protocol = _protocol(load_default=0)
    ports = _ports(load_default=list)
    action = _action(required=True)
    limit = _limit(load_default=None)
    comment = text(0, 256, load_default="")
    count_only = Flag(load_default=False)

    @validates_schema(skip_on_field_errors=True)
    def check(self, data, **kwargs):
        if errors := rule_errors(data):
            raise ValidationError(errors)


class RuleUpdateSchema(_RuleFields):
    pass


class RuleQuerySchema(StrictSchema):
    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=1_000_000))
    per_page = fields.Integer(load_default=20, validate=validate.Range(min=1, max=100))
    action = fields.String(load_default="", validate=validate.OneOf(ACTIONS))
    owner = text(1, 64, load_default="")
    search = free_text(0, 100, load_default="", metadata={"description": "Part of the prefix or of the comment"})


class RuleListSchema(StrictSchema):
    rules = fields.List(fields.Nested(RuleSchema), required=True)
    pagination = fields.Nested(PaginationSchema, required=True)
    revision = fields.Integer(required=True)


class PolicyUpdateSchema(StrictSchema):
    default_action = fields.String(required=True, validate=validate.OneOf(DEFAULT_ACTIONS))
    source_limit = fields.Nested(LimitSchema, load_default=None, allow_none=True)


class PolicySchema(StrictSchema):
    default_action = fields.String(required=True, validate=validate.OneOf(DEFAULT_ACTIONS))
    source_limit = fields.Nested(LimitSchema, required=True, allow_none=True)
    revision = fields.Integer(required=True)


class VerdictSchema(StrictSchema):
    verdict = fields.String(required=True)
    protocol = fields.String(required=True)
    packets = fields.Integer(required=True)
    bytes = fields.Integer(required=True)


class SourceSchema(StrictSchema):
    source = fields.String(required=True)
    packets = fields.Integer(required=True)
    dropped_packets = fields.Integer(required=True)
    error = fields.Integer(required=True, metadata={"description": "packets may be too high by so many"})


class GuardNodeSchema(StrictSchema):
    address = fields.String(required=True)
    node = fields.String(required=True, metadata={"description": "Empty when it does not answer"})
    error = fields.String(required=True, metadata={"description": "Why it does not answer; else empty"})
    xdp_mode = fields.String(required=True)
    enforcing = fields.Boolean(required=True)
    reason = fields.String(required=True, metadata={"description": "Why it does not enforce"})
    revision = fields.Integer(required=True)
    up_to_date = fields.Boolean(required=True)
    applied_at = fields.String(required=True, allow_none=True)
    rules = fields.Integer(required=True)
    fail_safe_ports = fields.List(fields.String(), required=True)
    counters = fields.List(fields.Nested(VerdictSchema), required=True)
    top_sources = fields.List(fields.Nested(SourceSchema), required=True)


class GuardStatusSchema(StrictSchema):
    state = fields.String(required=True, validate=validate.OneOf(["running", "unavailable", "not_installed"]))
    detail = fields.String(required=True)
    revision = fields.Integer(required=True, metadata={"description": "Of the rules here; nodes follow"})
    nodes = fields.List(fields.Nested(GuardNodeSchema), required=True)


class RuleCounterSchema(StrictSchema):
    rule_id = fields.String(required=True)
    packets = fields.Integer(required=True)
    bytes = fields.Integer(required=True)
    over_limit_packets = fields.Integer(required=True)


class CountersSchema(StrictSchema):
    state = fields.String(required=True, validate=validate.OneOf(["running", "unavailable", "not_installed"]))
    nodes = fields.Integer(required=True, metadata={"description": "How many answered"})
    counters = fields.List(fields.Nested(RuleCounterSchema), required=True)
