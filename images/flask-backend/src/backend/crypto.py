"""Encryption at rest of secrets that the server must be able to read again (webhook secrets, TOTP seeds).

Fernet (AES-128-CBC and HMAC-SHA256) under a key that is derived from a line of `ENCRYPTION_KEY_FILE`. The first
line encrypts, every line decrypts: to rotate, put a new line above the old one.
"""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.config import Settings

_ALPHA_KEY = "for trying out only: everybody knows this key"


class CryptoError(Exception):
    """There is no key, or none that fits; the text names the fix."""


class SecretBox:
    """Encrypts and decrypts short texts.

    Args:
        purpose: what the texts are; a text of one purpose is no text of another.
        keys: lines of random text, newest first; empty: every use raises `CryptoError`.
    """

    def __init__(self, purpose: str, keys: list[str]):
        fernets = [Fernet(_derive(purpose, key)) for key in keys]
        self._fernet = MultiFernet(fernets) if fernets else None

    def encrypt(self, text: str) -> str:
        """ASCII, about 100 characters more than a third longer than `text`. Raises `CryptoError`."""
        return self._usable().encrypt(text.encode()).decode()

    def decrypt(self, stored: str) -> str:
        """What `encrypt` was given. Raises `CryptoError`."""
        try:
            return self._usable().decrypt(stored.encode()).decode()
        except InvalidToken:
            raise CryptoError("no line of ENCRYPTION_KEY_FILE decrypts this; put the former key back") from None

    def _usable(self) -> MultiFernet:
        if self._fernet is None:
            raise CryptoError("ENCRYPTION_KEY_FILE: set it to a file with a random line of 32 characters or more")
        return self._fernet


def secret_box(settings: Settings, purpose: str) -> SecretBox:
    """The box of a purpose, under the keys of the settings; alpha has a key for trying out.

    Raises:
        ValueError: the file cannot be read or its key is too short.
    """
    if settings.encryption_key_file is None:
        return SecretBox(purpose, [_ALPHA_KEY] if settings.is_alpha else [])
    return SecretBox(purpose, settings.encryption_keys)


def _derive(purpose: str, key: str) -> bytes:
    info = f"triptych {purpose}".encode()
    return base64.urlsafe_b64encode(HKDF(SHA256(), 32, salt=None, info=info).derive(key.encode()))
