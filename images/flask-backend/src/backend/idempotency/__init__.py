"""Idempotency keys: a POST that is sent twice happens once."""

from backend.idempotency.view import idempotent

__all__ = ["idempotent"]
