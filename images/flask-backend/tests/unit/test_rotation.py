"""A change of the signing key: at every step every replica accepts what every other one signs."""

from __future__ import annotations

import base64
import os
import time
from datetime import datetime
from types import SimpleNamespace

import httpx2
import pytest
from api_client import make_settings
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from backend.auth import keys as keys_module
from backend.auth import rotation
from backend.auth.keys import KeyRing, check_keys
from backend.auth.rotation import STEP_AT, DirectoryStore, RotationError, SecretStore, rotate
from backend.auth.tokens import InvalidToken, TokenIssuer
from backend.cli import cli
from backend.config import ConfigError


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "signing.pem").write_bytes(rotation._private_pem(Ed25519PrivateKey.generate()))
    return tmp_path


@pytest.fixture(autouse=True)
def no_delay(monkeypatch):
    monkeypatch.setattr(keys_module, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(keys_module, "CHECK_UNKNOWN_SECONDS", 0.0)


def issuer(directory) -> TokenIssuer:
    return TokenIssuer(KeyRing(directory / "signing.pem"))


class StaleRing(KeyRing):
    """A replica whose mounted files are one step behind."""

    def _reload_after(self, seconds: float) -> None:
        """Never."""


def stale(directory) -> TokenIssuer:
    return TokenIssuer(StaleRing(directory / "signing.pem"))


def step(directory) -> list[str]:
    """Take the next step as if its pause were over; returns what was told."""
    for name in ("next.pem", "previous.pem"):
        if (directory / name).exists():
            os.utime(directory / name, (0, 0))
    return told(DirectoryStore(directory))


def told(store, **options) -> list[str]:
    lines = []
    rotate(store, options.pop("wait", False), lines.append, **options)
    return lines


def test_replicas_one_step_apart_accept_each_other(directory):
    running = issuer(directory)
    for _ in range(6):
        behind = stale(directory)
        old = behind.issue(1, "a")
        step(directory)
        new = running.issue(2, "b")
        assert running.verify(old).user_id == 1
        assert behind.verify(new).user_id == 2


def test_three_steps_end_with_one_other_key(directory):
    running = issuer(directory)
    first = running.issue(1, "a")
    kids = [{key["kid"] for key in running.jwks()["keys"]}]
    for _ in range(3):
        step(directory)
        kids.append({key["kid"] for key in running.jwks()["keys"]})
    assert [len(accepted) for accepted in kids] == [1, 2, 2, 1]
    assert kids[1] == kids[2]
    assert not kids[0] & kids[3]
    with pytest.raises(InvalidToken):
        running.verify(first)
    assert sorted(file.name for file in directory.iterdir()) == ["signing.pem"]


def test_the_retiring_key_keeps_its_public_half_only(directory):
    step(directory)
    step(directory)
    assert b"PRIVATE" not in (directory / "previous.pem").read_bytes()
    assert (directory / "signing.pem").stat().st_mode & 0o077 == 0


def test_published_keys_hold_no_private_part(directory):
    step(directory)
    for key in issuer(directory).jwks()["keys"]:
        assert set(key) == {"crv", "kty", "x", "kid", "use", "alg"}


@pytest.mark.parametrize("damage", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_file_keeps_the_old_keys(directory, damage):
    running = issuer(directory)
    token = running.issue(1, "a")
    (directory / "signing.pem").write_bytes(damage)
    assert running.verify(token).user_id == 1
    assert running.verify(running.issue(2, "b")).user_id == 2
    with pytest.raises(RotationError, match="nothing was changed"):
        step(directory)
    with pytest.raises(ConfigError, match="JWT_SIGNING_KEY_FILE"):
        check_keys(make_settings(db_type="sqlite", jwt_signing_key_file=directory / "signing.pem"))


def test_a_key_of_another_kind_is_refused(directory):
    pem = X25519PrivateKey.generate().private_bytes(
        rotation.serialization.Encoding.PEM,
        rotation.serialization.PrivateFormat.PKCS8,
        rotation.serialization.NoEncryption(),
    )
    (directory / "signing.pem").write_bytes(pem)
    with pytest.raises(ConfigError, match="not an Ed25519 private key"):
        issuer(directory)


@pytest.fixture
def clock(monkeypatch):
    """The rotation's own time: sleeping passes it, and nothing else does."""
    clock = SimpleNamespace(now=time.time(), slept=0.0)

    def sleep(seconds: float) -> None:
        clock.now += seconds
        clock.slept += seconds

    monkeypatch.setattr(rotation.time, "time", lambda: clock.now)
    monkeypatch.setattr(rotation.time, "sleep", sleep)
    return clock


@pytest.fixture
def secret(directory):
    return FakeClient({"signing.pem": (directory / "signing.pem").read_bytes()})


def test_wait_takes_all_steps_with_their_pauses(secret, clock):
    lines = told(SecretStore("keys", "here", secret), wait=True)
    assert [moment - secret.written[0] for moment in secret.written] == pytest.approx([0, 150, 900], abs=1)
    assert [line.split()[0] for line in lines] == ["prepared", "waiting", "key", "waiting", "retired"]
    assert sorted(secret.data) == ["signing.pem"]


def test_one_that_was_evicted_goes_on_without_shortening_the_pause(secret, clock):
    told(SecretStore("keys", "here", secret))
    clock.now += 100
    told(SecretStore("keys", "here", secret), wait=True)
    assert [moment - secret.written[0] for moment in secret.written] == pytest.approx([0, 150, 900], abs=1)


def test_a_step_that_is_not_due_is_not_taken(secret, directory):
    for store in (lambda: SecretStore("keys", "here", secret), lambda: DirectoryStore(directory)):
        told(store())
        before = store().read()
        (line,) = told(store())
        assert "nothing is due" in line and "--now" in line
        assert store().read() == before


def test_a_leaked_key_goes_at_once(directory, clock):
    running = issuer(directory)
    token = running.issue(1, "a")
    told(DirectoryStore(directory), now=True)
    assert clock.slept == 0
    with pytest.raises(InvalidToken):
        running.verify(token)
    assert sorted(file.name for file in directory.iterdir()) == ["signing.pem"]


def test_an_api_that_is_away_is_one_line(secret):
    def away(*_, **__):
        raise httpx2.ConnectError("refused")

    secret.get = away
    with pytest.raises(RotationError, match="does not answer: ConnectError: refused"):
        told(SecretStore("keys", "here", secret))


class FakeClient:
    """A Kubernetes API with one Secret."""

    def __init__(self, data: dict[str, bytes]):
        self.data = {name: base64.b64encode(value).decode() for name, value in data.items()}
        self.version, self.annotations = 1, None
        self.written = []

    def get(self, kind, name, namespace):
        metadata = SimpleNamespace(resourceVersion=str(self.version), annotations=self.annotations)
        return SimpleNamespace(data=dict(self.data), metadata=metadata)

    def patch(self, kind, name, patch, namespace):
        assert patch["metadata"]["resourceVersion"] == str(self.version)
        self.version += 1
        self.annotations = (self.annotations or {}) | patch["metadata"]["annotations"]
        self.written.append(datetime.fromisoformat(self.annotations[STEP_AT]).timestamp())
        merged = self.data | patch["data"]
        self.data = {key: value for key, value in merged.items() if value is not None}


def test_a_secret_goes_through_the_same_steps(directory, secret):
    client, seen = secret, []
    for _ in range(3):
        told(SecretStore("keys", "here", client))
        seen.append(sorted(client.data))
        client.annotations = {STEP_AT: "2000-01-01T00:00:00+00:00"}
    assert seen == [["next.pem", "signing.pem"], ["previous.pem", "signing.pem"], ["signing.pem"]]
    assert base64.b64decode(client.data["signing.pem"]) != (directory / "signing.pem").read_bytes()


def test_the_command(directory):
    result = CliRunner().invoke(cli, ["rotate-keys", "--directory", str(directory)])
    assert result.exit_code == 0, result.output
    assert "prepared key" in result.output
    both = CliRunner().invoke(cli, ["rotate-keys", "--directory", str(directory), "--secret", "x"])
    assert both.exit_code == 2
    assert CliRunner().invoke(cli, ["rotate-keys", "--directory", str(directory), "--wait", "--now"]).exit_code == 2
