"""Bodies and queries of the users endpoints."""

from __future__ import annotations

from marshmallow import fields, validate

from backend.fields import Flag, StrictSchema, UtcDateTime, free_text, no_control_characters, text
from backend.permissions import ROLES
from backend.tenants import DEFAULT_TENANT, PATTERN

MAX_PASSWORD_LENGTH = 1024
SORT_KEYS = ("id", "email", "full_name", "role", "tenant", "is_active", "created_at", "updated_at")


def _email(**options) -> fields.String:
    return text(3, 254, validate=[validate.Email()], **options)


def _role(**options) -> fields.String:
    return fields.String(validate=validate.OneOf(ROLES), **options)


def tenant_name(**options) -> fields.String:
    """A tenant: up to 40 lower-case letters, digits and inner hyphens."""
    error = "Must be 1 to 40 lower-case letters, digits or inner hyphens."
    # The pattern's end is also before a last line break.
    checks = [no_control_characters, validate.Regexp(PATTERN, error=error)]
    options.setdefault("metadata", {"description": "Decides where the user's events are stored"})
    return fields.String(validate=checks, **options)


def _password(**options) -> fields.String:
    return free_text(1, MAX_PASSWORD_LENGTH, load_only=True, **options)


class UserSchema(StrictSchema):
    id = fields.Integer(required=True)
    email = fields.String(required=True)
    full_name = fields.String(required=True)
    role = _role(required=True)
    tenant = fields.String(required=True, metadata={"description": "Decides where the user's events are stored"})
    is_active = Flag(required=True)
    must_change_password = Flag(required=True)
    totp_enabled = Flag(required=True, metadata={"description": "The user has a second factor"})
    created_at = UtcDateTime(required=True)
    updated_at = UtcDateTime(required=True)


class UserCreateSchema(StrictSchema):
    email = _email(required=True)
    full_name = text(1, 200, required=True)
    role = _role(required=True)
    password = _password(required=True)
    tenant = tenant_name(load_default=DEFAULT_TENANT)
    is_active = Flag(load_default=True)
    must_change_password = Flag(load_default=False)


class UserUpdateSchema(StrictSchema):
    email = _email()
    full_name = text(1, 200)
    role = _role()
    password = _password()
    tenant = tenant_name()
    is_active = Flag()
    must_change_password = Flag()


class TemporaryPasswordSchema(StrictSchema):
    password = fields.String(required=True, metadata={"description": "Shown this once; good for changing it only"})


class UserQuerySchema(StrictSchema):
    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=1_000_000))
    per_page = fields.Integer(load_default=20, validate=validate.Range(min=1, max=100))
    search = free_text(0, 200, load_default="")
    role = _role()
    tenant = tenant_name()
    is_active = fields.Boolean(truthy={"true"}, falsy={"false"})
    sort = fields.String(
        load_default="email",
        validate=validate.OneOf([*SORT_KEYS, *(f"-{key}" for key in SORT_KEYS)]),
        metadata={"description": "Field to sort by; a leading minus sorts downwards"},
    )


class PaginationSchema(StrictSchema):
    page = fields.Integer(required=True)
    per_page = fields.Integer(required=True)
    total = fields.Integer(required=True)
    pages = fields.Integer(required=True)


class UserListSchema(StrictSchema):
    users = fields.List(fields.Nested(UserSchema), required=True)
    pagination = fields.Nested(PaginationSchema, required=True)
