"""Idempotency keys: a POST that is sent twice happens once."""

from backend.idempotency.view import idempotent, idempotent_with_secret

__all__ = ["idempotent", "idempotent_with_secret"]
