"""Endpoints of API keys."""

from __future__ import annotations

from flask import Response, g

from backend.api_keys import service
from backend.api_keys.schemas import ApiKeyCreateSchema, ApiKeyListSchema, ApiKeyQuerySchema, NewApiKeySchema
from backend.context import services
from backend.fields import Blueprint
from backend.idempotency import idempotent_with_secret
from backend.permissions import ADMIN
from backend.problems import Problem

blueprint = Blueprint("api_keys", __name__, url_prefix="/api/v1/api-keys", description="Keys for machines")


@blueprint.get("")
@blueprint.arguments(ApiKeyQuerySchema, location="query")
@blueprint.response(200, ApiKeyListSchema)
def list_keys(query):
    """List the own API keys, as an admin those of any user"""
    user_id = query.get("user_id", g.principal.user_id)
    if user_id != g.principal.user_id and g.principal.role != ADMIN:
        raise Problem(403, "Only admins see the keys of other users.", "forbidden")
    return service.list_keys(services().database, user_id)


@blueprint.post("")
@idempotent_with_secret
@blueprint.arguments(ApiKeyCreateSchema)
@blueprint.response(201, NewApiKeySchema)
def create_key(body):
    """Make an API key; it is shown this once"""
    return service.create_key(services().database, g.principal, **body)


@blueprint.delete("/<int(max=2147483647):key_id>")
@blueprint.response(204)
def revoke_key(key_id):
    """Revoke an API key at once; admins may revoke anybody's"""
    service.revoke_key(services().database, g.principal, key_id)
    return Response(status=204)
