"""Creates absent Secrets through the Kubernetes API, and never changes one that exists."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path

from lightkube import ApiError, Client
from lightkube.core.exceptions import ConfigError, LoadResourceError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Secret

from backend.secrets_bootstrap.spec import BootstrapError, WantedSecret, read_spec

_TRANSIENT = {429, 500, 502, 503, 504}


def bootstrap(path: Path, timeout: float, progress: Callable[[str], None]) -> None:
    """Create every Secret of the file that does not exist, in the namespace of the pod.

    Args:
        path: JSON file, see `docs/developers/contracts.md`.
        timeout: seconds to keep trying while the Kubernetes API does not answer.
        progress: called with a line per Secret; never given a value.

    Raises:
        BootstrapError: a bad file, no permission, no API, or a Secret that exists without a key it needs.
    """
    wanted = read_spec(path)
    try:
        client = Client()
    except (ConfigError, LoadResourceError, OSError) as error:
        raise BootstrapError(f"no Kubernetes credentials: {error}") from None
    end = time.monotonic() + timeout
    missing = []
    for secret in wanted:
        created = _retry(lambda: _create(client, secret), end, progress)  # noqa: B023 (called at once)
        if created:
            progress(f"created Secret {secret.name} ({', '.join(secret.keys)})")
            continue
        absent = _retry(lambda: _absent_keys(client, secret), end, progress)  # noqa: B023
        if not absent:
            progress(f"Secret {secret.name} exists; left as it is")
        missing += [f"{secret.name} lacks {key}" for key in absent]
    if missing:
        raise BootstrapError(
            f"existing Secrets are never changed, but {'; '.join(missing)}: add the key or delete the Secret"
        )


def _create(client: Client, wanted: WantedSecret) -> bool:
    metadata = ObjectMeta(name=wanted.name, labels=wanted.labels)
    values = wanted.make_values(_values(client, wanted.authority) if wanted.authority else None)
    try:
        client.create(Secret(metadata=metadata, type="Opaque", stringData=values))
    except ApiError as error:
        if error.status.code != 409:
            raise
        return False
    return True


def _values(client: Client, name: str) -> dict[str, str]:
    data = client.get(Secret, name).data or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def _absent_keys(client: Client, wanted: WantedSecret) -> list[str]:
    present = client.get(Secret, wanted.name).data or {}
    return [key for key in wanted.keys if not present.get(key)]


def _retry(call, end: float, progress: Callable[[str], None]):
    pause = 1.0
    while True:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 (_transient raises what it does not know)
            reason = _transient(error)
            if reason is None:
                raise BootstrapError(f"the Kubernetes API refused: {error}") from None
            if time.monotonic() + pause > end:
                raise BootstrapError(f"the Kubernetes API does not answer: {reason}") from None
            progress(f"the Kubernetes API does not answer, trying again: {reason}")
        time.sleep(pause)
        pause = min(pause * 2, 10)


def _transient(error: Exception) -> str | None:
    """Why another try may help; `None` for a refusal. Raises what is no failure of the API at all."""
    if isinstance(error, ApiError):
        return str(error) if error.status.code in _TRANSIENT else None
    if isinstance(error, BootstrapError):
        raise error
    if type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2", "ssl", "socket"):
        return f"{type(error).__name__}: {error}"
    raise error
