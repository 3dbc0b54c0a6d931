"""Whatever a request may prove itself with: an access token or an API key."""

from __future__ import annotations

from backend.api_keys import service as api_keys
from backend.auth import sessions
from backend.auth.principal import Principal
from backend.context import Services


def authenticate(services: Services, token: str) -> Principal:
    """The principal of a Bearer token. Raises `InvalidToken`, or `DatabaseUnavailable`."""
    if token.startswith(api_keys.MARK):
        return api_keys.authenticate(services, token)
    return sessions.authenticate(services, token)
