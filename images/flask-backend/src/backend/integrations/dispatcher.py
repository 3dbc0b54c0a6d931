"""Sends the deliveries that are due: side by side for different receivers, in order for one."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import structlog

from backend.context import Services
from backend.crypto import CryptoError
from backend.integrations import deliveries, signing
from backend.integrations.outgoing import OPEN_SECONDS, CircuitOpen, OutgoingError, TemporarilyFailed
from backend.tracing import outgoing_headers, span

log = structlog.get_logger(__name__)
_SENDERS = 8
# No more than one receiver can be slow with while the lease and the claims hold.
_PER_STEP = 40
_PER_RECEIVER = 5


class Dispatcher:
    """The loop behind webhooks; `step` does what there is to do at this moment."""

    def __init__(self, services: Services):
        self._services = services
        self._pool = ThreadPoolExecutor(_SENDERS, thread_name_prefix="webhook")

    def step(self) -> None:
        """Fan events out and send what is due. Raises `DatabaseUnavailable`."""
        while deliveries.fan_out(self._services.database):
            pass
        due = deliveries.claim_due(self._services.database, _PER_STEP)
        groups = groupby(sorted(due, key=lambda row: row["webhook_id"]), key=lambda row: row["webhook_id"])
        for future in [self._pool.submit(self._send_all, list(rows)) for _, rows in groups]:
            future.result()

    def _send_all(self, rows: list[dict]) -> None:
        for row in rows[:_PER_RECEIVER]:
            self._send(row)
        for row in rows[_PER_RECEIVER:]:
            deliveries.postpone(self._services.database, row, 0)

    def _send(self, delivery: dict) -> None:
        started = time.monotonic()
        status, error, retry = None, "", False
        try:
            status = self._call(delivery)
            error = "" if 200 <= status < 300 else f"answered {status}"
            # What else the receiver says is final: the same request would be refused again.
            retry = status in (408, 409, 423, 425)
        except CircuitOpen:
            deliveries.postpone(self._services.database, delivery, OPEN_SECONDS)
            return
        except TemporarilyFailed as failure:
            error, retry = str(failure), True
        except (OutgoingError, CryptoError) as failure:
            error = str(failure)
        elapsed = int((time.monotonic() - started) * 1000)
        state = deliveries.finish(self._services.database, delivery, status, error, elapsed, retry)
        self._services.metrics.webhooks.labels(
            "delivered" if not error else "dead" if state == "dead" else "failed"
        ).inc()
        log.info("webhook sent", delivery_id=delivery["id"], state=state, status=status, error=error)

    def _call(self, delivery: dict) -> int:
        secret = self._services.webhook_secrets.decrypt(delivery["secret"])
        body, timestamp = delivery["body"].encode(), int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Triptych/{self._services.settings.triptych_version}",
            "Triptych-Event": delivery["kind"],
            "Triptych-Delivery": delivery["id"],
            signing.HEADER: signing.signature(secret, timestamp, body),
        }
        with span("webhook", delivery_id=delivery["id"]):
            headers |= dict(outgoing_headers())
            return self._services.outgoing.call("POST", delivery["url"], headers, body).status
