"""Queries and events of the audit endpoints."""

from __future__ import annotations

from datetime import UTC, datetime

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from backend.fields import StrictSchema, UtcDateTime, fold_email, text
from backend.users.schemas import tenant_name

# What an id can begin with, and what a datetime can hold in UTC.
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
_ID = validate.Regexp(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", error="Not an event's id.")


class AuditFilterSchema(StrictSchema):
    tenant = tenant_name(metadata={"description": "Of the user who acted"})
    actor = text(1, 254, metadata={"description": "E-mail address, `system` or `anonymous`"})
    actor_id = fields.Integer(validate=validate.Range(min=1, max=2**31 - 1))
    action = text(1, 60, metadata={"description": "An action, or the part before the dot for all of a domain"})
    target_type = text(1, 40)
    target_id = text(1, 254)
    request_id = text(1, 64)
    since = fields.AwareDateTime(data_key="from", metadata={"description": "At or after, RFC 3339 with a zone"})
    until = fields.AwareDateTime(data_key="to", metadata={"description": "Before, RFC 3339 with a zone"})

    @validates_schema(skip_on_field_errors=True)
    def check_range(self, data, **kwargs):
        for name in ("since", "until"):
            if name in data and not _FIRST <= data[name] <= _LAST:
                raise ValidationError("Must be from 1970 to 9999, in UTC.", self.fields[name].data_key)

    @post_load
    def fold(self, data, **kwargs):
        return data | {"actor": fold_email(data["actor"])} if "actor" in data else data


class AuditQuerySchema(AuditFilterSchema):
    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=200))
    cursor = fields.String(load_default="", validate=_ID, metadata={"description": "next_cursor of the page before"})


class AuditEventSchema(StrictSchema):
    id = fields.String(required=True)
    occurred_at = UtcDateTime(required=True)
    tenant = fields.String(required=True)
    actor_id = fields.Integer(required=True, allow_none=True)
    actor = fields.String(required=True)
    credential = fields.String(
        required=True, metadata={"description": "`session`, `api-key:<prefix>`, or empty without one"}
    )
    action = fields.String(required=True)
    target_type = fields.String(required=True)
    target_id = fields.String(required=True)
    address = fields.String(required=True)
    request_id = fields.String(required=True)
    details = fields.Dict(required=True)


class AuditListSchema(StrictSchema):
    events = fields.List(fields.Nested(AuditEventSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
