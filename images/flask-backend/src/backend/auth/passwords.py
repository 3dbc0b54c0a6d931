"""bcrypt over a keyed SHA-384 digest, with a bound on how many run at once."""

from __future__ import annotations

import base64
import hmac
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import bcrypt

from backend.problems import Problem

# bcrypt takes 72 bytes at most and stops at NUL: the digest has 64 characters without one. The key separates
# these digests from any other SHA-384 of a password that may have leaked elsewhere; it is no secret.
_DIGEST_KEY = b"triptych password digest v1"


# bcrypt fills a core without holding the interpreter: the other half of the cores is for requests. (Threads with a
# nice value were tried: one that is not scheduled while it takes the interpreter's lock stops all others.)
_HALF_OF_THE_CORES = max(1, (os.cpu_count() or 2) // 2)


class PasswordHasher:
    """Hashes and checks passwords.

    Args:
        cost: bcrypt's logarithm of rounds; 12 takes about 250 ms.
        concurrency: how many may run at once; each keeps one core busy.
        patience: seconds that a caller waits for its turn before it is sent away.
    """

    def __init__(self, cost: int, concurrency: int = _HALF_OF_THE_CORES, patience: float = 15.0):
        self._cost = cost
        self._patience = patience
        self._slots = threading.BoundedSemaphore(concurrency)
        self._unknown_user_hash = bcrypt.hashpw(_digest("nobody has this password"), bcrypt.gensalt(cost))

    def hash(self, password: str) -> str:
        """Hash of a new password, ASCII, 60 characters. Raises a 503 `Problem` when the server is busy."""
        with self._slot():
            return bcrypt.hashpw(_digest(password), bcrypt.gensalt(self._cost)).decode()

    def check(self, password: str, stored: str | None) -> bool:
        """Whether the password fits; `None` (no such user) takes the same time and never fits.

        Raises:
            Problem: 503 with Retry-After when too many checks wait already.
        """
        with self._slot():
            fits = bcrypt.checkpw(_digest(password), stored.encode() if stored else self._unknown_user_hash)
        return fits and stored is not None

    def upgrade(self, password: str, stored: str) -> str | None:
        """A new hash of a password that fits `stored`, when that one is cheaper than new ones are."""
        return self.hash(password) if _cost(stored) < self._cost else None

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=self._patience):
            raise Problem(503, "Too many logins at this moment; try again.", "busy", retry_after=2)
        try:
            yield
        finally:
            self._slots.release()


def _digest(password: str) -> bytes:
    return base64.b64encode(hmac.digest(_DIGEST_KEY, password.encode(), "sha384"))


def _cost(stored: str) -> int:
    return int(stored.split("$")[2])
