"""Webhooks: who wants to hear of which events; secrets are encrypted at rest and shown once."""

from __future__ import annotations

import ipaddress
import json
from urllib.parse import urlsplit

from backend.audit.service import record
from backend.context import Services
from backend.crypto import CryptoError
from backend.database.session import fetch, for_update, now
from backend.integrations import deliveries, signing
from backend.integrations.addresses import ForbiddenAddress
from backend.problems import Problem

MAX_WEBHOOKS = 100
_COLUMNS = "id, url, description, events, enabled, created_at, updated_at"


def list_webhooks(services: Services) -> dict:
    """All webhooks, without secrets: `{webhooks: [...]}`."""
    sql = f"SELECT {_COLUMNS} FROM webhooks ORDER BY id LIMIT {MAX_WEBHOOKS}"
    return {"webhooks": [_decoded(row) for row in services.database.read(lambda db: fetch(db, sql))]}


def get_webhook(services: Services, webhook_id: int) -> dict:
    """A webhook. Raises a 404 `Problem`."""
    return services.database.read(lambda db: _get(db, webhook_id))


def create_webhook(services: Services, body: dict) -> dict:
    """Store a webhook; the answer alone has its secret. Raises `Problem`: 409 when there are too many, 422, 503."""
    _check_url(services, body["url"])
    secret = signing.new_secret()
    columns = _columns(body) | {"secret": _encrypted(services, secret), "created_at": now(), "updated_at": now()}

    def work(db) -> dict:
        if fetch(db, "SELECT COUNT(*) AS number FROM webhooks")[0]["number"] >= MAX_WEBHOOKS:
            raise Problem(409, f"There are {MAX_WEBHOOKS} webhooks already; delete one first.", "too-many-webhooks")
        # What happened before is not its business, even when it still waits in the outbox.
        newest = fetch(db, "SELECT COALESCE(MAX(id), 0) AS id FROM events")[0]["id"]
        webhook_id = int(db.webhooks.insert(**columns, after_event=newest))
        record(db, "webhooks.create", "webhook", webhook_id, {"url": body["url"], "events": body["events"]})
        return _get(db, webhook_id)

    return services.database.write(work) | {"secret": secret}


def update_webhook(services: Services, webhook_id: int, body: dict) -> dict:
    """Change a webhook. Raises `Problem`: 404, 422."""
    if "url" in body:
        _check_url(services, body["url"])

    def work(db) -> dict:
        _get(db, webhook_id, for_update(db))
        if body:
            db(db.webhooks.id == webhook_id).update(**_columns(body), updated_at=now())
            record(db, "webhooks.update", "webhook", webhook_id, {"changed": sorted(body)})
        return _get(db, webhook_id)

    return services.database.write(work)


def delete_webhook(services: Services, webhook_id: int) -> None:
    """Delete a webhook and its deliveries. Raises a 404 `Problem`."""

    def work(db) -> None:
        webhook = _get(db, webhook_id, for_update(db))
        db(db.webhooks.id == webhook_id).delete()
        record(db, "webhooks.delete", "webhook", webhook_id, {"url": webhook["url"]})

    services.database.write(work)


def replace_secret(services: Services, webhook_id: int) -> dict:
    """A new secret, shown once; the old one signs nothing from now on. Raises `Problem`: 404, 503."""
    secret = signing.new_secret()
    encrypted = _encrypted(services, secret)

    def work(db) -> dict:
        _get(db, webhook_id, for_update(db))
        db(db.webhooks.id == webhook_id).update(secret=encrypted, updated_at=now())
        record(db, "webhooks.replace_secret", "webhook", webhook_id)
        return _get(db, webhook_id)

    return services.database.write(work) | {"secret": secret}


def send_test(services: Services, webhook_id: int) -> dict:
    """Queue a `webhooks.test` event for this webhook alone, enabled or not. Raises a 404 `Problem`."""

    def work(db) -> dict:
        _get(db, webhook_id, for_update(db))
        delivery_id = deliveries.insert(db, webhook_id, "webhooks.test", json.dumps({"message": "It works."}))
        return deliveries.get(db, delivery_id)

    return services.database.write(work)


def _get(db, webhook_id: int, lock: str = "") -> dict:
    rows = fetch(db, f"SELECT {_COLUMNS} FROM webhooks WHERE id = %s{lock}", webhook_id)
    if not rows:
        raise Problem(404, f"There is no webhook {webhook_id}.", "no-such-webhook")
    return _decoded(rows[0])


def _decoded(row: dict) -> dict:
    return row | {"events": row["events"].split(",")}


def _columns(body: dict) -> dict:
    columns = dict(body)
    if "events" in body:
        columns["events"] = ",".join(dict.fromkeys(body["events"]))
    if "enabled" in body:
        columns["enabled"] = int(body["enabled"])
    return columns


def _encrypted(services: Services, secret: str) -> str:
    try:
        return services.webhook_secrets.encrypt(secret)
    except CryptoError as error:
        raise Problem(503, f"Webhooks are not set up: {error}", "no-encryption-key") from None


def _check_url(services: Services, url: str) -> None:
    """Refuse early what can never be called; names are resolved, and checked, at each delivery."""
    parts = urlsplit(url)
    if parts.scheme == "http" and not services.settings.is_alpha:
        _refuse("Must be https outside alpha.")
    try:
        ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    try:
        services.fence.check(parts.hostname)
    except ForbiddenAddress as error:
        _refuse(str(error))


def _refuse(message: str) -> None:
    raise Problem(422, "The URL must not be called.", errors={"json": {"url": [message]}})
