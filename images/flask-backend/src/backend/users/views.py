"""Endpoints of user accounts; admins only."""

from __future__ import annotations

from flask import Response, g, request

from backend.context import services
from backend.etags import precondition, tagged
from backend.fields import Blueprint
from backend.idempotency import idempotent
from backend.users import service
from backend.users.schemas import (
    TemporaryPasswordSchema,
    UserCreateSchema,
    UserListSchema,
    UserQuerySchema,
    UserSchema,
    UserUpdateSchema,
)

blueprint = Blueprint("users", __name__, url_prefix="/api/v1/users", description="User accounts")
_ETAG = {"ETag": {"schema": {"type": "string"}, "description": "Version of the user, for If-Match"}}
_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "ETag of the version that was seen; 412 when there is a newer one",
}
_ONE = "/<int(max=2147483647):user_id>"


@blueprint.get("")
@blueprint.arguments(UserQuerySchema, location="query")
@blueprint.response(200, UserListSchema)
def list_users(query):
    """List users"""
    return service.list_users(services().database, **query)


@blueprint.post("")
@idempotent
@blueprint.arguments(UserCreateSchema)
@blueprint.response(201, UserSchema, headers=_ETAG)
def create_user(body):
    """Create a user"""
    own = services()
    return _answer(service.create_user(own.database, own.hasher, own.settings, body), 201)


@blueprint.get(_ONE)
@blueprint.response(200, UserSchema, headers=_ETAG)
def get_user(user_id):
    """Get a user"""
    return _answer(service.get_user(services().database, user_id))


@blueprint.patch(_ONE)
@blueprint.arguments(UserUpdateSchema)
@blueprint.response(200, UserSchema, headers=_ETAG)
@blueprint.doc(parameters=[_IF_MATCH])
def update_user(body, user_id):
    """Change a user"""
    own = services()
    demand = precondition(request)
    return _answer(service.update_user(own.database, own.hasher, own.settings, user_id, body, demand))


@blueprint.delete(_ONE)
@blueprint.response(204)
@blueprint.doc(parameters=[_IF_MATCH])
def delete_user(user_id):
    """Delete a user"""
    service.delete_user(services().database, user_id, g.principal.user_id, precondition(request))
    return Response(status=204)


@blueprint.post(f"{_ONE}/password-reset")
@blueprint.response(200, TemporaryPasswordSchema)
def reset_password(user_id):
    """Give a user a temporary password, which they must change"""
    return service.reset_password(services().database, services().hasher, user_id)


@blueprint.delete(f"{_ONE}/totp")
@blueprint.response(204)
def reset_totp(user_id):
    """Turn off the second factor of a user who lost it"""
    service.reset_totp(services().database, user_id)
    return Response(status=204)


def _answer(user: dict, status: int = 200) -> Response:
    return tagged(UserSchema().dump(user), user, request, status)
