"""Endpoints for the kubelet and for Prometheus."""

from __future__ import annotations

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from backend.context import services
from backend.health import service

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz():
    """The process lives."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz():
    """The process may get requests; 503 says which dependency fails."""
    return service.readiness(services())


@blueprint.get("/metrics")
def metrics():
    """Prometheus text."""
    return Response(generate_latest(services().metrics.registry), content_type=CONTENT_TYPE_LATEST)
