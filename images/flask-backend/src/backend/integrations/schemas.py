"""Bodies and queries of the webhooks endpoints."""

from __future__ import annotations

from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate

from backend.fields import Flag, StrictSchema, UtcDateTime, no_control_characters, text
from backend.integrations.deliveries import STATES
from backend.users.schemas import PaginationSchema

_PATTERN = validate.Regexp(r"^(\*|[a-z_]{1,30}\.(\*|[a-z_]{1,29}))$", error="Must be *, domain.* or domain.event.")


def _callable_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValidationError(f"Not a URL: {error}") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise ValidationError("Must begin with https:// and a host.")
    if "@" in parts.netloc:
        raise ValidationError("Must not have a user or password.")
    if parts.fragment or " " in url or "\\" in url or not url.isascii():
        raise ValidationError("Must be ASCII without fragment, spaces and backslashes.")


def _url(**options) -> fields.String:
    return text(1, 2000, validate=[_callable_url], metadata={"format": "uri"}, **options)


def _events(**options) -> fields.List:
    return fields.List(
        fields.String(validate=[no_control_characters, _PATTERN]),
        validate=validate.Length(min=1, max=30),
        metadata={"example": ["users.*"]},
        **options,
    )


class WebhookSchema(StrictSchema):
    id = fields.Integer(required=True)
    url = fields.String(required=True)
    description = fields.String(required=True)
    events = fields.List(fields.String(), required=True)
    enabled = Flag(required=True)
    created_at = UtcDateTime(required=True)
    updated_at = UtcDateTime(required=True)


class WebhookWithSecretSchema(WebhookSchema):
    secret = fields.String(required=True, metadata={"description": "Shown this once"})


class WebhookCreateSchema(StrictSchema):
    url = _url(required=True)
    events = _events(required=True)
    description = text(0, 200, load_default="")
    enabled = Flag(load_default=True)


class WebhookUpdateSchema(StrictSchema):
    url = _url()
    events = _events()
    description = text(0, 200)
    enabled = Flag()


class WebhookListSchema(StrictSchema):
    webhooks = fields.List(fields.Nested(WebhookSchema), required=True)


class DeliverySchema(StrictSchema):
    id = fields.String(required=True)
    webhook_id = fields.Integer(required=True)
    kind = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    attempts = fields.Integer(required=True)
    next_attempt_at = UtcDateTime(required=True)
    last_status = fields.Integer(required=True, allow_none=True)
    last_error = fields.String(required=True)
    duration_ms = fields.Integer(required=True, allow_none=True)
    created_at = UtcDateTime(required=True)
    finished_at = UtcDateTime(required=True, allow_none=True)


class DeliveryQuerySchema(StrictSchema):
    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=1_000_000))
    per_page = fields.Integer(load_default=20, validate=validate.Range(min=1, max=100))
    state = fields.String(
        load_default="", validate=validate.OneOf(STATES), metadata={"description": "dead: dead letters"}
    )
    webhook_id = fields.Integer(load_default=0, validate=validate.Range(min=1, max=2147483647))


class DeliveryListSchema(StrictSchema):
    deliveries = fields.List(fields.Nested(DeliverySchema), required=True)
    pagination = fields.Nested(PaginationSchema, required=True)
