"""The keys of access tokens: one signs, its neighbours in time only verify; re-read when their files change."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from backend.config import ConfigError, Settings, read_file

log = structlog.get_logger(__name__)
# Beside `JWT_SIGNING_KEY_FILE`: the key that will sign, and the public half of the one that did.
NEXT = "next.pem"
PREVIOUS = "previous.pem"
CHECK_SECONDS = 10.0
CHECK_UNKNOWN_SECONDS = 1.0


@dataclass(frozen=True)
class VerifyingKey:
    """A public key under its RFC 7638 thumbprint: the id never needs configuring."""

    public: Ed25519PublicKey
    jwk: dict
    key_id: str


def verifying_key(public: Ed25519PublicKey) -> VerifyingKey:
    """The key with its JSON Web Key and thumbprint."""
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    canonical = json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()
    return VerifyingKey(public, jwk, _base64url(hashlib.sha256(canonical).digest()))


@dataclass(frozen=True)
class KeySet:
    """What the files held at one moment: the private key, its public half first in `verifying`, by id."""

    private: Ed25519PrivateKey
    signing_id: str
    verifying: dict[str, VerifyingKey]


def key_set(private: Ed25519PrivateKey, *others: Ed25519PublicKey) -> KeySet:
    """The set that signs with `private` and accepts `others` as well."""
    keys = [verifying_key(public) for public in (private.public_key(), *others)]
    return KeySet(private, keys[0].key_id, {key.key_id: key for key in keys})


class KeyRing:
    """The present `KeySet`. Kubernetes swaps a mounted Secret's files at any time: they are looked at again.

    Args:
        path: the signing key; `None` makes a key that lives as long as this process.

    Raises:
        ConfigError: a file cannot be used. Later, on a reload, the old keys stay and the log tells.
    """

    def __init__(self, path: Path | None):
        self._path = path
        self._lock = threading.Lock()
        self._seen = self._signature()
        self._checked = time.monotonic()
        self._set = load_key_set(path) if path else key_set(Ed25519PrivateKey.generate())

    def current(self) -> KeySet:
        """The keys, not older than `CHECK_SECONDS`."""
        self._reload_after(CHECK_SECONDS)
        return self._set

    def find(self, key_id: str) -> VerifyingKey | None:
        """The key of this id; an unknown one makes the files be read again, at most once a second."""
        found = self.current().verifying.get(key_id)
        if found is None:
            self._reload_after(CHECK_UNKNOWN_SECONDS)
            found = self._set.verifying.get(key_id)
        return found

    def _reload_after(self, seconds: float) -> None:
        if self._path is None or time.monotonic() - self._checked < seconds:
            return
        with self._lock:
            self._checked = time.monotonic()
            signature = self._signature()
            if signature == self._seen:
                return
            try:
                self._set = load_key_set(self._path)
            except (ConfigError, ValueError) as error:
                log.error("signing keys not reloaded, the old ones stay", reason=str(error))
                return
            self._seen = signature
        log.info("signing keys reloaded", signing=self._set.signing_id, accepted=list(self._set.verifying))

    def _signature(self) -> list:
        return [_stamp(file) for file in _files(self._path)] if self._path else []


def load_key_set(path: Path) -> KeySet:
    """The keys at `path` and beside it. Raises `ConfigError` naming the file that cannot be used."""
    signing, *others = _files(path)
    private = _load(signing)
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigError(f"JWT_SIGNING_KEY_FILE: {signing} is not an Ed25519 private key in PEM (PKCS #8)")
    return key_set(private, *[public_half(_load(file)) for file in others if file.exists()])


def check_keys(settings: Settings) -> None:
    """Refuse to start without a usable signing key. Raises `ConfigError`."""
    if settings.jwt_signing_key_file is not None:
        load_key_set(settings.jwt_signing_key_file)
    elif not settings.is_alpha:
        raise ConfigError("JWT_SIGNING_KEY_FILE: is required outside alpha")


def public_half(key: Ed25519PrivateKey | Ed25519PublicKey) -> Ed25519PublicKey:
    """The public key of either half."""
    return key.public_key() if isinstance(key, Ed25519PrivateKey) else key


def parse_pem(pem: bytes) -> Ed25519PrivateKey | Ed25519PublicKey | None:
    """The Ed25519 key in a PEM text, private (PKCS #8) or public; `None` for anything else."""
    public = b"PUBLIC KEY" in pem
    try:
        key = (
            serialization.load_pem_public_key(pem) if public else serialization.load_pem_private_key(pem, password=None)
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PrivateKey | Ed25519PublicKey) else None


def _load(file: Path) -> Ed25519PrivateKey | Ed25519PublicKey:
    key = parse_pem(read_file("JWT_SIGNING_KEY_FILE", file))
    if key is None:
        raise ConfigError(f"JWT_SIGNING_KEY_FILE: {file} is not an Ed25519 private key in PEM (PKCS #8)")
    return key


def _files(path: Path) -> list[Path]:
    return [path, path.with_name(NEXT), path.with_name(PREVIOUS)]


def _stamp(file: Path) -> tuple | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
