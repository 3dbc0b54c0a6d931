"""Changes the signing key without a moment in which a replica refuses what another one signed.

Three steps, each for files and for a Kubernetes Secret alike: *prepare* publishes the next key, *promote* signs with
it and keeps the old public key, *retire* drops that one when no token of it can be alive. The store remembers when
the last step was, so that no step comes too early, whoever takes it.
"""

from __future__ import annotations

import base64
import math
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import httpx2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lightkube import ApiError, Client
from lightkube.core.exceptions import ConfigError as ClusterConfigError
from lightkube.core.exceptions import LoadResourceError
from lightkube.resources.core_v1 import Secret

from backend.auth.keys import NEXT, PREVIOUS, parse_pem, public_half, verifying_key
from backend.auth.tokens import ACCESS_TOKEN_SECONDS

SIGNING = "signing.pem"
# A mounted Secret follows within the kubelet's sync period and its cache's lifetime, together up to two minutes.
PROPAGATION_SECONDS = 150
# Somebody else may take the step that this process waits for.
LOOK_AGAIN_SECONDS = 10
STEP_AT = "triptych/key-step-at"


class RotationError(Exception):
    """The keys could not be changed; one line tells why, and never a key."""


class Store(Protocol):
    """Where the keys are: PEM texts by name."""

    def read(self) -> dict[str, bytes]: ...

    def age(self) -> float:
        """Seconds since the last step, by what `read` saw; 0 or less when the clock was set back."""

    def write(self, changes: dict[str, bytes | None]) -> None:
        """Set or, for `None`, remove names; all at once where the store can. Notes the time of this step."""


def rotate(store: Store, wait: bool, progress: Callable[[str], None], now: bool = False) -> None:
    """Take the next step if it is due, or with `wait` all of them with the pauses they need.

    Args:
        now: take all of them without the pauses; tokens of the old key are refused at once.

    Raises:
        RotationError: no usable signing key, or the store refuses.
    """
    announced = None
    while True:
        pems = store.read()
        remaining = 0 if now else math.ceil(_pause(pems) - store.age())
        if remaining <= 0:
            last = _step(store, pems, progress)
            if last or not (wait or now):
                return
        elif not wait:
            progress(f"nothing is due: the next step is in {remaining} s (--now does not wait)")
            return
        else:
            if pems.keys() != announced:
                progress(f"waiting {remaining} s")
                announced = pems.keys()
            time.sleep(min(remaining, LOOK_AGAIN_SECONDS))


def _pause(pems: dict[str, bytes]) -> int:
    """Seconds that must have passed since the step that led here."""
    if PREVIOUS in pems:
        return ACCESS_TOKEN_SECONDS + PROPAGATION_SECONDS
    return PROPAGATION_SECONDS if NEXT in pems else 0


def _step(store: Store, pems: dict[str, bytes], progress: Callable[[str], None]) -> bool:
    """Take one step from what the store holds; returns whether it was the last one."""
    signing = parse_pem(pems.get(SIGNING, b""))
    if not isinstance(signing, Ed25519PrivateKey):
        raise RotationError(f"{SIGNING} is missing or no Ed25519 private key; nothing was changed")
    if PREVIOUS in pems:
        store.write({PREVIOUS: None})
        progress(f"retired the previous key; {_name(signing)} alone is accepted now")
        return True
    if NEXT not in pems:
        upcoming = Ed25519PrivateKey.generate()
        store.write({NEXT: _private_pem(upcoming)})
        progress(f"prepared {_name(upcoming)}; it may sign in {PROPAGATION_SECONDS} s")
        return False
    upcoming = parse_pem(pems[NEXT])
    if not isinstance(upcoming, Ed25519PrivateKey):
        raise RotationError(f"{NEXT} is no Ed25519 private key; remove it and run this again")
    # One change: no reader ever finds the old key neither signing nor accepted.
    store.write({PREVIOUS: _public_pem(signing), SIGNING: _private_pem(upcoming), NEXT: None})
    seconds = ACCESS_TOKEN_SECONDS + PROPAGATION_SECONDS
    progress(f"{_name(upcoming)} signs now; {_name(signing)} may retire in {seconds} s")
    return False


class DirectoryStore:
    """Files beside each other. Raises `RotationError` when they cannot be read or written."""

    def __init__(self, directory: Path):
        self._directory = directory

    def read(self) -> dict[str, bytes]:
        files = [self._directory / name for name in (SIGNING, NEXT, PREVIOUS)]
        try:
            return {file.name: file.read_bytes() for file in files if file.exists()}
        except OSError as error:
            raise RotationError(f"cannot read {error.filename}: {error.strerror}") from None

    def age(self) -> float:
        # The files that a step made, by their own time.
        made = [file for file in (self._directory / NEXT, self._directory / PREVIOUS) if file.exists()]
        return time.time() - max((file.stat().st_mtime for file in made), default=0.0)

    def write(self, changes: dict[str, bytes | None]) -> None:
        # Additions first: between two files the set is larger than it must be, never smaller.
        try:
            for name, content in changes.items():
                if content is not None:
                    self._replace(self._directory / name, content)
            for name, content in changes.items():
                if content is None:
                    (self._directory / name).unlink()
        except OSError as error:
            raise RotationError(f"cannot write in {self._directory}: {error.strerror}") from None

    def _replace(self, path: Path, content: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=self._directory, prefix=".key-")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)


class SecretStore:
    """A Kubernetes Secret, by the kubeconfig or the pod's service account. Raises `RotationError`."""

    def __init__(self, name: str, namespace: str | None, client: Client | None = None):
        self._name, self._namespace = name, namespace
        self._version, self._step_at = "", 0.0
        try:
            self._client = client or Client(namespace=namespace)
        except (ClusterConfigError, LoadResourceError, OSError) as error:
            raise RotationError(f"no Kubernetes credentials: {error}") from None

    def read(self) -> dict[str, bytes]:
        secret = self._call(lambda: self._client.get(Secret, self._name, namespace=self._namespace))
        self._version = secret.metadata.resourceVersion
        self._step_at = _timestamp((secret.metadata.annotations or {}).get(STEP_AT, ""))
        return {name: base64.b64decode(value) for name, value in (secret.data or {}).items()}

    def age(self) -> float:
        return time.time() - self._step_at

    def write(self, changes: dict[str, bytes | None]) -> None:
        data = {name: value and base64.b64encode(value).decode() for name, value in changes.items()}
        # With the version that was read, of two rotations at once one is refused.
        moment = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
        metadata = {"resourceVersion": self._version, "annotations": {STEP_AT: moment}}
        patch = {"metadata": metadata, "data": data}
        self._call(lambda: self._client.patch(Secret, self._name, patch, namespace=self._namespace))

    def _call(self, call):
        try:
            return call()
        except ApiError as error:
            raise RotationError(f"Secret {self._name}: {error.status.message}") from None
        except httpx2.HTTPError as error:
            raise RotationError(f"the Kubernetes API does not answer: {type(error).__name__}: {error}") from None


def _timestamp(text: str) -> float:
    """Seconds since the epoch of an ISO time; 0 for none, as in a Secret that an older release began to change."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def _name(key) -> str:
    return f"key {verifying_key(public_half(key)).key_id[:12]}"


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
