"""nginx before the web UI, as an Ingress controller stands there: it ends TLS, and forwards a host or a path of one."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate

import images
from engine import engine
from support import eventually, free_ports

DOMAIN = "example.test"
# One web UI has a host to itself; the other shares one, and lies below a path of it.
ALONE, SHARED, STRANGER = f"ui.{DOMAIN}", f"apps.{DOMAIN}", f"stranger.{DOMAIN}"
PATH = "/console"
OTHER_APPLICATION = "Another application"
# No HTTP/2: Chromium ends all of its connections whenever an interface of this machine comes or goes.
CONFIGURATION = """
pid /tmp/nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  default_type text/html;
  ssl_certificate /config/server.pem;
  ssl_certificate_key /config/server.pem;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Forwarded-Proto $scheme;
  server {{
    listen 127.0.0.1:{port} ssl;
    server_name {alone};
    location / {{ proxy_pass http://127.0.0.1:{root}; }}
  }}
  server {{
    listen 127.0.0.1:{port} ssl;
    server_name {shared} {stranger};
    location {path} {{ proxy_pass http://127.0.0.1:{below}; }}
    location / {{ return 200 "<!doctype html><title>{application}</title><p>Cookies: $http_cookie."; }}
  }}
}}
"""


@dataclass(frozen=True)
class Ingress:
    """The running proxy.

    Attributes:
        port: of 127.0.0.1, for every name of `DOMAIN`.
        key: hash of its authority's public key, as Chromium's flag takes it.
    """

    port: int
    key: str

    @property
    def flags(self) -> list[str]:
        """What makes Chromium find these hosts and trust their authority."""
        return [f"--host-resolver-rules=MAP *.{DOMAIN} 127.0.0.1", f"--ignore-certificate-errors-spki-list={self.key}"]

    def origin(self, host: str) -> str:
        return f"https://{host}:{self.port}"


@contextmanager
def running(backend_url: str, folder: Path) -> Iterator[Ingress]:
    """Start two web UIs of this backend, and the proxy before both.

    Args:
        backend_url: what answers to `/api`; the platform's own web UI does.
        folder: an empty one, for configuration and certificate.
    """
    port, root, below = free_ports(3)
    authority = trustme.CA()
    _write_configuration(folder, authority, port=port, root=root, below=below)
    images.build_all(["webui", "ingress"])
    settings = {"BACKEND_URL": backend_url, "ENVIRONMENT": "alpha", "LOG_LEVEL": "warn"}
    started = []
    try:
        started.append(_start("webui", env=settings | {"PORT": str(root)}))
        started.append(_start("webui", env=settings | {"PORT": str(below), "BASE_PATH": PATH}))
        started.append(_start("ingress", "--tmpfs", "/tmp", "--volume", f"{folder}:/config:ro"))
        for number in (root, below):
            _wait_for(f"http://127.0.0.1:{number}/readyz", started)
        _wait_for(f"https://127.0.0.1:{port}/healthz", started)
        yield Ingress(port, _hash_of_key(authority))
    finally:
        for container in started:
            engine().run("rm", "--force", container, quiet=True)


def _write_configuration(folder: Path, authority: trustme.CA, **ports: int) -> None:
    names = {"alone": ALONE, "shared": SHARED, "stranger": STRANGER, "path": PATH, "application": OTHER_APPLICATION}
    (folder / "nginx.conf").write_text(CONFIGURATION.format(**names, **ports))
    certificate = authority.issue_cert(ALONE, SHARED, STRANGER)
    # Chromium judges the authority's key only when the server sends its certificate along.
    chain = [certificate.private_key_and_cert_chain_pem, authority.cert_pem]
    (folder / "server.pem").write_bytes(b"".join(part.bytes() for part in chain))
    folder.chmod(0o755)  # the container's user is another one


def _start(image: str, *options: str, env: dict[str, str] | None = None) -> str:
    """Start a container in this machine's network; its id."""
    [found] = images.find_images([image])
    variables = [part for name, value in (env or {}).items() for part in ("--env", f"{name}={value}")]
    command = ["run", "--detach", "--read-only", "--cap-drop", "ALL", "--network", "host", *variables, *options]
    return engine().output(*command, found.reference)


def _wait_for(url: str, containers: list[str]) -> None:
    try:
        eventually(lambda: httpx.get(url, verify=False, timeout=5).is_success, 90, f"{url} answers")
    except AssertionError:
        for container in containers:
            engine().run("logs", container)
        raise


def _hash_of_key(authority: trustme.CA) -> str:
    key = load_pem_x509_certificate(authority.cert_pem.bytes()).public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(encoded).digest()).decode()
