"""`backend bootstrap-secrets` against a stand-in of the Kubernetes API."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from backend.cli import cli

PATH = "/api/v1/namespaces/triptych/secrets"
SPEC = [
    {
        "name": "postgresql-credentials",
        "labels": {"app.kubernetes.io/part-of": "triptych"},
        "keys": {"password": {"type": "password", "length": 24}, "admin-password": {"type": "password"}},
    },
    {"name": "flask-backend-keys", "keys": {"signing.pem": {"type": "ed25519"}}},
    {"name": "flask-backend-first-admin", "keys": {"password": {"type": "literal", "value": "admin"}}},
]


class FakeKubernetes(ThreadingHTTPServer):
    """Keeps Secrets in memory; `failures` answers of 503 come first, `forbidden` refuses all."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.secrets: dict[str, dict] = {}
        self.failures = 0
        self.forbidden = False
        self.writes: list[str] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = body["metadata"]["name"]
        if self.refused():
            return
        if name in self.server.secrets:
            self.answer(409, {"reason": "AlreadyExists"})
            return
        data = {key: base64.b64encode(value.encode()).decode() for key, value in body["stringData"].items()}
        self.server.secrets[name] = {"metadata": body["metadata"], "data": data}
        self.server.writes.append(f"POST {self.path}")
        self.answer(201, self.server.secrets[name])

    def do_GET(self):
        if not self.refused():
            found = self.server.secrets.get(self.path.rpartition("/")[2])
            self.answer(200 if found else 404, found or {"reason": "NotFound"})

    def refused(self) -> bool:
        if self.server.forbidden:
            self.answer(403, {"reason": "Forbidden", "message": "secrets is forbidden"})
        elif self.server.failures:
            self.server.failures -= 1
            self.answer(503, {"reason": "ServiceUnavailable"})
        else:
            return False
        return True

    def answer(self, code: int, body: dict) -> None:
        if code >= 400:
            body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "", "code": code} | body
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def kubernetes():
    with FakeKubernetes() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def bootstrap(kubernetes, tmp_path, monkeypatch):
    """A function that runs the command on a specification; its result has `exit_code` and `output`."""
    kubeconfig = {
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{kubernetes.server_port}"}}],
        "users": [{"name": "test", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "triptych"}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def run(spec, timeout: int = 60):
        path = tmp_path / "secrets.json"
        path.write_text(spec if isinstance(spec, str) else json.dumps(spec))
        return CliRunner().invoke(cli, ["bootstrap-secrets", "--file", str(path), "--timeout", str(timeout)])

    return run


def value(kubernetes, name: str, key: str) -> str:
    return base64.b64decode(kubernetes.secrets[name]["data"][key]).decode()


def test_creates_what_is_absent_and_shows_no_value(kubernetes, bootstrap):
    result = bootstrap(SPEC)
    assert result.exit_code == 0, result.output
    assert set(kubernetes.writes) == {f"POST {PATH}"}
    password = value(kubernetes, "postgresql-credentials", "password")
    assert len(password) == 24
    assert password.isalnum()
    assert len(value(kubernetes, "postgresql-credentials", "admin-password")) == 32
    assert value(kubernetes, "flask-backend-first-admin", "password") == "admin"
    key = value(kubernetes, "flask-backend-keys", "signing.pem")
    assert serialization.load_pem_private_key(key.encode(), None)
    labels = kubernetes.secrets["postgresql-credentials"]["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/part-of": "triptych"}
    for secret in (password, key.splitlines()[1]):
        assert secret not in result.output


def test_a_second_run_changes_nothing(kubernetes, bootstrap):
    bootstrap(SPEC)
    before = json.dumps(kubernetes.secrets)
    result = bootstrap(SPEC)
    assert result.exit_code == 0, result.output
    assert json.dumps(kubernetes.secrets) == before
    assert result.output.count("left as it is") == len(SPEC)


def test_an_existing_secret_without_a_key_is_left_and_reported(kubernetes, bootstrap):
    kubernetes.secrets["postgresql-credentials"] = {"metadata": {}, "data": {"password": "eA=="}}
    result = bootstrap(SPEC)
    assert result.exit_code == 1
    assert "postgresql-credentials lacks admin-password" in result.output.splitlines()[-1]
    assert kubernetes.secrets["postgresql-credentials"]["data"] == {"password": "eA=="}
    assert set(kubernetes.secrets) == {secret["name"] for secret in SPEC}


def test_it_tries_again_while_the_api_is_away(kubernetes, bootstrap):
    kubernetes.failures = 2
    result = bootstrap(SPEC)
    assert result.exit_code == 0, result.output
    assert result.output.count("trying again") == 2


def test_an_api_that_stays_away_is_one_line(kubernetes, bootstrap):
    kubernetes.failures = 99
    result = bootstrap(SPEC, timeout=2)
    assert result.exit_code == 1
    assert "the Kubernetes API does not answer" in result.output.splitlines()[-1]
    assert "Traceback" not in result.output


def test_no_permission_is_one_line(kubernetes, bootstrap):
    kubernetes.forbidden = True
    result = bootstrap(SPEC)
    assert (result.exit_code, len(result.output.splitlines())) == (1, 1), result.output
    assert "forbidden" in result.output


TLS = [
    {"name": "server", "certificate": {"authority": "authority", "hosts": ["go-backend", "localhost"]}},
    {"name": "client", "certificate": {"authority": "authority", "hosts": ["flask-backend"]}},
    {"name": "authority", "certificate": {}},
]


def certificate(kubernetes, name: str, key: str = "tls.crt") -> x509.Certificate:
    return x509.load_pem_x509_certificate(value(kubernetes, name, key).encode())


def test_certificates_of_one_authority(kubernetes, bootstrap):
    result = bootstrap(TLS)
    assert result.exit_code == 0, result.output
    assert set(kubernetes.secrets["server"]["data"]) == {"tls.crt", "tls.key", "ca.crt"}
    authority = certificate(kubernetes, "authority")
    for name, hosts in (("server", ["go-backend", "localhost"]), ("client", ["flask-backend"])):
        issued = certificate(kubernetes, name)
        issued.verify_directly_issued_by(authority)
        assert (
            issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
                x509.DNSName
            )
            == hosts
        )
        assert certificate(kubernetes, name, "ca.crt") == authority
        key = serialization.load_pem_private_key(value(kubernetes, name, "tls.key").encode(), None)
        assert key.public_key() == issued.public_key()
        assert value(kubernetes, name, "tls.key").splitlines()[1] not in result.output


def test_a_deleted_certificate_is_made_again_by_the_same_authority(kubernetes, bootstrap):
    bootstrap(TLS)
    before, authority = certificate(kubernetes, "server"), certificate(kubernetes, "authority")
    del kubernetes.secrets["server"]
    assert bootstrap(TLS).exit_code == 0
    after = certificate(kubernetes, "server")
    assert after != before and certificate(kubernetes, "authority") == authority
    after.verify_directly_issued_by(authority)


def test_an_authority_that_is_none_is_one_line(kubernetes, bootstrap):
    kubernetes.secrets["authority"] = {"metadata": {}, "data": {"tls.crt": "eA==", "tls.key": "eA=="}}
    result = bootstrap(TLS)
    assert result.exit_code == 1 and "Traceback" not in result.output
    assert "Secret authority holds no authority" in result.output.splitlines()[-1]
    assert set(kubernetes.secrets) == {"authority"}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("{", "is no JSON"),
        ({}, "must hold a list"),
        ([{"name": "x"}], "keys"),
        ([{"name": "UPPER", "keys": {"a": {"type": "password"}}}], "is no Kubernetes name"),
        ([{"name": "x", "keys": {}}], "keys"),
        ([{"name": "x", "keys": {"a": {"type": "rsa"}}}], "type"),
        ([{"name": "x", "keys": {"a": {"type": "password", "length": 3}}}], "length"),
        ([{"name": "x", "keys": {"a": {"type": "literal"}}}], "value"),
        ([{"name": "x", "keys": {"a b": {"type": "password"}}}], "is no key"),
        ([{"name": "x", "keys": {"a": {"type": "password"}}, "label": {}}], "label"),
        ([{"name": "x", "keys": {"a": {"type": "password"}}, "certificate": {}}], "one of keys and certificate"),
        ([{"name": "x", "certificate": {"hosts": ["a"]}}], "belong together"),
        ([{"name": "x", "certificate": {"authority": "y", "hosts": []}}], "hosts"),
    ],
)
def test_bad_specifications(kubernetes, bootstrap, spec, words):
    result = bootstrap(spec)
    assert (result.exit_code, len(result.output.splitlines())) == (1, 1), result.output
    assert words in result.output
    assert kubernetes.secrets == {}
