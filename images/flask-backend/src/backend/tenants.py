"""The tenant that an event belongs to: that of the user who acts."""

from __future__ import annotations

from flask import g, has_request_context

DEFAULT_TENANT = "default"
PATTERN = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"


def acting_tenant() -> str:
    """Tenant of the request's user; of commands, jobs and strangers the default one."""
    principal = g.get("principal") if has_request_context() else None
    return principal.user["tenant"] if principal else DEFAULT_TENANT
