"""Endpoints of webhooks; admins only, as events tell of users."""

from __future__ import annotations

from flask import Response

from backend.context import services
from backend.fields import Blueprint
from backend.idempotency import idempotent, idempotent_with_secret
from backend.integrations import deliveries, webhooks
from backend.integrations.schemas import (
    DeliveryListSchema,
    DeliveryQuerySchema,
    DeliverySchema,
    WebhookCreateSchema,
    WebhookListSchema,
    WebhookSchema,
    WebhookUpdateSchema,
    WebhookWithSecretSchema,
)
from backend.problems import Problem

blueprint = Blueprint("webhooks", __name__, url_prefix="/api/v1/webhooks", description="Events for other systems")
_ONE = "/<int(max=2147483647):webhook_id>"


@blueprint.get("")
@blueprint.response(200, WebhookListSchema)
def list_webhooks():
    """List webhooks"""
    return webhooks.list_webhooks(services())


@blueprint.post("")
@idempotent_with_secret
@blueprint.arguments(WebhookCreateSchema)
@blueprint.response(201, WebhookWithSecretSchema)
def create_webhook(body):
    """Create a webhook; the answer alone has its secret"""
    return webhooks.create_webhook(services(), body)


@blueprint.get(_ONE)
@blueprint.response(200, WebhookSchema)
def get_webhook(webhook_id):
    """Get a webhook"""
    return webhooks.get_webhook(services(), webhook_id)


@blueprint.patch(_ONE)
@blueprint.arguments(WebhookUpdateSchema)
@blueprint.response(200, WebhookSchema)
def update_webhook(body, webhook_id):
    """Change a webhook"""
    return webhooks.update_webhook(services(), webhook_id, body)


@blueprint.delete(_ONE)
@blueprint.response(204)
def delete_webhook(webhook_id):
    """Delete a webhook and its log"""
    webhooks.delete_webhook(services(), webhook_id)
    return Response(status=204)


@blueprint.post(f"{_ONE}/secret")
@blueprint.response(200, WebhookWithSecretSchema)
def replace_secret(webhook_id):
    """Replace the secret"""
    return webhooks.replace_secret(services(), webhook_id)


@blueprint.post(f"{_ONE}/test")
@idempotent
@blueprint.response(202, DeliverySchema)
def send_test(webhook_id):
    """Send a test event"""
    return webhooks.send_test(services(), webhook_id)


@blueprint.get("/deliveries")
@blueprint.arguments(DeliveryQuerySchema, location="query")
@blueprint.response(200, DeliveryListSchema)
def list_deliveries(query):
    """The delivery log, newest first; `state=dead` are the dead letters"""
    total, rows = services().database.read(lambda db: deliveries.page(db, **query))
    page, per_page = query["page"], query["per_page"]
    pagination = {"page": page, "per_page": per_page, "total": total, "pages": -(-total // per_page)}
    return {"deliveries": rows, "pagination": pagination}


@blueprint.post("/deliveries/<string(length=32):delivery_id>/redeliver")
@idempotent
@blueprint.response(202, DeliverySchema)
def redeliver(delivery_id):
    """Send a delivery again that was delivered or is dead"""
    own = services().database
    queued = own.write(lambda db: deliveries.again(db, delivery_id))
    if queued is None and own.read(lambda db: deliveries.get(db, delivery_id)) is None:
        raise Problem(404, "There is no such delivery.", "no-such-delivery")
    if queued is None:
        raise Problem(409, "The delivery is under way already.", "delivery-pending")
    return queued
