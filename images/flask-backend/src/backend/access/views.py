"""Endpoint of the permission document, for everybody signed in: user interfaces show what a role may use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flask import Flask, current_app

from backend.access.schemas import PermissionsSchema
from backend.fields import Blueprint
from backend.permissions import PERMISSIONS, PUBLIC, ROLES, SESSION_ONLY

blueprint = Blueprint("permissions", __name__, url_prefix="/api/v1/permissions", description="Permissions")
API_PREFIX = "/api/v1/"
_ARGUMENT = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")


@blueprint.get("")
@blueprint.response(200, PermissionsSchema)
def get_permissions():
    """Every operation and the roles that may use it"""
    return {"roles": list(ROLES), "operations": list(_operations(current_app))}


def _operations(app: Flask) -> Iterator[dict]:
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.endpoint):
        if not rule.rule.startswith(API_PREFIX):
            continue
        allowed = PERMISSIONS.get(rule.endpoint, frozenset())
        summary = (app.view_functions[rule.endpoint].__doc__ or "").strip().split("\n", 1)[0]
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield {
                "name": rule.endpoint,
                "method": method,
                "path": _ARGUMENT.sub(r"{\1}", rule.rule),  # as the OpenAPI document writes it
                "summary": summary,
                "public": allowed == PUBLIC,
                "session_only": rule.endpoint in SESSION_ONLY,
                "roles": [role for role in ROLES if allowed == PUBLIC or role in allowed],
            }
