"""Channels to the Go backend over mutual TLS: who is trusted, and certificates that are replaced."""

from __future__ import annotations

import datetime
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from api_client import make_settings
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backend.config import ConfigError, load_settings
from backend.grpc_calls import Tls
from backend.grpc_gen.status.v1 import status_pb2, status_pb2_grpc
from backend.status.fast_path import FastPath, FastPathError

DAY = datetime.timedelta(days=1)


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign("authority", self.key.public_key(), "authority", is_authority=True)

    def issue(self, name: str) -> tuple[bytes, bytes]:
        """Certificate and key for a name, in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self._sign(name, key.public_key(), "authority"), pem

    def _sign(self, name: str, key, issuer: str, is_authority: bool = False) -> bytes:
        def title(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(title(name)).issuer_name(title(issuer)).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - DAY).not_valid_after(now + DAY)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        builder = builder.add_extension(x509.BasicConstraints(is_authority, None), True)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Node(status_pb2_grpc.StatusServiceServicer):
    def GetStatus(self, request, context):
        return status_pb2.GetStatusResponse(node_name="worker2")


@pytest.fixture
def serve():
    """A function that starts a Go backend's stand-in with a certificate and tells its address."""
    servers = []

    def start(authority: Authority, name: str = "localhost") -> str:
        certificate, key = authority.issue(name)
        credentials = grpc.ssl_server_credentials([(key, certificate)], authority.certificate, True)
        server = grpc.server(ThreadPoolExecutor(2))
        status_pb2_grpc.add_StatusServiceServicer_to_server(Node(), server)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        servers.append(server)
        return f"localhost:{port}"

    yield start
    for server in servers:
        server.stop(0)


def write(folder: Path, authority: Authority, client: Authority | None = None, age: int = 0) -> Tls:
    """The files of a client whose certificate comes from `client` (default: the authority it trusts)."""
    certificate, key = (client or authority).issue("flask-backend")
    files = {"ca.crt": authority.certificate, "tls.crt": certificate, "tls.key": key}
    for name, content in files.items():
        (folder / name).write_bytes(content)
        os.utime(folder / name, (age, age))
    return Tls(*(folder / name for name in files))


def test_both_sides_show_certificates(serve, tmp_path):
    authority = Authority()
    fast_path = FastPath(serve(authority), write(tmp_path, authority))
    assert [node["node"] for node in fast_path.nodes()] == ["worker2"]


@pytest.mark.parametrize("wrong", ["authority", "client", "name", "anonymous", "plain"])
def test_anything_less_is_refused(serve, tmp_path, wrong):
    authority, stranger = Authority(), Authority()
    target = serve(authority, "elsewhere" if wrong == "name" else "localhost")
    trusted = stranger if wrong == "authority" else authority
    tls = write(tmp_path, trusted, stranger if wrong == "client" else authority)
    if wrong == "anonymous":
        tls = Tls(tls.ca_file)
    with pytest.raises(FastPathError):
        FastPath(target, None if wrong == "plain" else tls).nodes()


def test_replaced_files_are_read_anew(serve, tmp_path):
    old, new = Authority(), Authority()
    fast_path = FastPath(serve(new), write(tmp_path, old, age=1))
    with pytest.raises(FastPathError):
        fast_path.nodes()
    write(tmp_path, new, age=2)
    assert fast_path.nodes()
    (tmp_path / "tls.key").unlink()
    with pytest.raises(FastPathError, match="the files for TLS cannot be read"):
        fast_path.nodes()


@pytest.mark.parametrize(
    "given, message",
    [
        ({"CA", "CERT"}, "GO_BACKEND_TLS_KEY_FILE: set it together with GO_BACKEND_TLS_CERT_FILE"),
        ({"CERT", "KEY"}, "GO_BACKEND_TLS_CA_FILE: is required with GO_BACKEND_TLS_CERT_FILE"),
    ],
)
def test_half_a_configuration_is_refused(monkeypatch, tmp_path, given, message):
    monkeypatch.setenv("ENVIRONMENT", "alpha")
    monkeypatch.setenv("DB_TYPE", "sqlite")
    monkeypatch.setenv("GO_BACKEND_TARGET", "go-backend:50051")
    for name in given:
        path = tmp_path / name
        path.touch()
        monkeypatch.setenv(f"GO_BACKEND_TLS_{name}_FILE", str(path))
    with pytest.raises(ConfigError, match=message):
        load_settings()


def test_settings_name_the_files(tmp_path, settings):
    path = tmp_path / "ca.crt"
    path.touch()
    changed = make_settings(**settings.model_dump() | {"go_backend_target": "a:1", "go_backend_tls_ca_file": path})
    assert changed.go_backend_tls == Tls(path) and settings.go_backend_tls is None
