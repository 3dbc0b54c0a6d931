"""Signatures of webhooks: the receiver learns who sent a request, and that it is new and unchanged."""

from __future__ import annotations

import hashlib
import hmac
import secrets

HEADER = "Triptych-Signature"
PREFIX = "whsec_"


def new_secret() -> str:
    """A random secret of 256 bits."""
    return PREFIX + secrets.token_urlsafe(32)


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Value of `Triptych-Signature`: `t=<seconds since 1970>,v1=<hex of HMAC-SHA256(secret, "<t>.<body>")>`."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def verify(secret: str, header: str, body: bytes, clock: float, tolerance: int = 300) -> bool:
    """What a receiver does: whether the header signs the body, within `tolerance` seconds of `clock`."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    if not parts.get("t", "").isdigit() or abs(clock - int(parts["t"])) > tolerance:
        return False
    return hmac.compare_digest(signature(secret, int(parts["t"]), body), header)
