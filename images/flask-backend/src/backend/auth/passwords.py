"""bcrypt over a keyed SHA-384 digest, with a bound on how many run at once."""

from __future__ import annotations

import base64
import hmac
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import bcrypt

from backend.problems import Problem

# bcrypt takes 72 bytes at most and stops at NUL: the digest has 64 characters without one. The key separates
# these digests from any other SHA-384 of a password that may have leaked elsewhere; it is no secret.
_DIGEST_KEY = b"triptych password digest v1"


# A login may wait a moment longer; requests behind it must not.
_NICE = 15


class PasswordHasher:
    """Hashes and checks passwords.

    Args:
        cost: bcrypt's logarithm of rounds; 12 takes about 250 ms.
        concurrency: how many may run at once; each keeps one core busy.
        patience: seconds that a caller waits for its turn before it is sent away.
    """

    def __init__(self, cost: int, concurrency: int = 2, patience: float = 10.0):
        self._cost = cost
        self._patience = patience
        self._slots = threading.BoundedSemaphore(concurrency)
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="bcrypt", initializer=_step_back)
        self._unknown_user_hash = bcrypt.hashpw(_digest("nobody has this password"), bcrypt.gensalt(cost))

    def hash(self, password: str) -> str:
        """Hash of a new password, ASCII, 60 characters. Raises a 503 `Problem` when the server is busy."""
        with self._slot():
            return self._pool.submit(bcrypt.hashpw, _digest(password), bcrypt.gensalt(self._cost)).result().decode()

    def check(self, password: str, stored: str | None) -> bool:
        """Whether the password fits; `None` (no such user) takes the same time and never fits.

        Raises:
            Problem: 503 with Retry-After when too many checks wait already.
        """
        with self._slot():
            known = stored.encode() if stored else self._unknown_user_hash
            fits = self._pool.submit(bcrypt.checkpw, _digest(password), known).result()
        return fits and stored is not None

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=self._patience):
            raise Problem(503, "Too many logins at this moment; try again.", "busy", retry_after=2)
        try:
            yield
        finally:
            self._slots.release()


def _step_back() -> None:
    """Let every other thread go first: on Linux a thread has a nice value of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _digest(password: str) -> bytes:
    return base64.b64encode(hmac.digest(_DIGEST_KEY, password.encode(), "sha384"))
