"""Endpoint of the platform's state."""

from __future__ import annotations

from backend.context import services
from backend.fields import Blueprint
from backend.status import service
from backend.status.schemas import StatusSchema, TrafficSchema

blueprint = Blueprint("status", __name__, url_prefix="/api/v1/status", description="State of the platform")


@blueprint.get("")
@blueprint.response(200, StatusSchema)
def get_status():
    """State of every component and of the fast path"""
    return service.platform_status(services())


@blueprint.get("/traffic")
@blueprint.response(200, TrafficSchema)
def get_traffic():
    """Requests to the API and logins in the last quarter of an hour"""
    return services().metrics.traffic.recent()
