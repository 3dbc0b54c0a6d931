"""Endpoints of user accounts; admins only."""

from __future__ import annotations

from flask import Response, g

from backend.context import services
from backend.fields import Blueprint
from backend.users import service
from backend.users.schemas import (
    UserCreateSchema,
    UserListSchema,
    UserQuerySchema,
    UserSchema,
    UserUpdateSchema,
)

blueprint = Blueprint("users", __name__, url_prefix="/api/v1/users", description="User accounts")
_ONE = "/<int(max=2147483647):user_id>"


@blueprint.get("")
@blueprint.arguments(UserQuerySchema, location="query")
@blueprint.response(200, UserListSchema)
def list_users(query):
    """List users"""
    return service.list_users(services().database, **query)


@blueprint.post("")
@blueprint.arguments(UserCreateSchema)
@blueprint.response(201, UserSchema)
def create_user(body):
    """Create a user"""
    own = services()
    return service.create_user(own.database, own.hasher, own.settings, body)


@blueprint.get(_ONE)
@blueprint.response(200, UserSchema)
def get_user(user_id):
    """Get a user"""
    return service.get_user(services().database, user_id)


@blueprint.patch(_ONE)
@blueprint.arguments(UserUpdateSchema)
@blueprint.response(200, UserSchema)
def update_user(body, user_id):
    """Change a user"""
    own = services()
    return service.update_user(own.database, own.hasher, own.settings, user_id, body)


@blueprint.delete(_ONE)
@blueprint.response(204)
def delete_user(user_id):
    """Delete a user"""
    service.delete_user(services().database, user_id, g.principal.user_id)
    return Response(status=204)
