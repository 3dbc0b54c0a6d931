"""Headers, cross-origin rules, traces and gauges."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from api_client import ApiClient, make_settings
from pydantic import ValidationError

from backend.app import create_app
from backend.jobs import store
from backend.jobs.loops import measure_backlog

SOURCE = Path(__file__).resolve().parents[2] / "src"
PAGE = "https://app.example.com"


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/users", "/nothing"])
def test_every_answer_has_security_headers(anonymous, path):
    headers = anonymous.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert "Server" not in headers or "Python" not in headers["Server"]


def test_cors_is_off_by_default(anonymous):
    answer = anonymous.request("OPTIONS", "/api/v1/users", headers=preflight(PAGE))
    assert not [name for name, _value in answer.headers if name.startswith("Access-Control")]


def test_cors_for_named_origins_only(app, settings):
    client = ApiClient(
        create_app(make_settings(**settings.model_dump() | {"cors_allowed_origins": f"{PAGE}, http://x:1"}))
    )
    answer = client.request("OPTIONS", "/api/v1/users", headers=preflight(PAGE))
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert "If-Match" in answer.headers["Access-Control-Allow-Headers"]
    refused = client.get("/api/v1/users", headers={"Origin": PAGE})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Origin" in refused.headers["Vary"]
    for other in ("https://evil.example.com", "null", f"{PAGE}.evil.com", ""):
        answer = client.request("OPTIONS", "/api/v1/users", headers=preflight(other))
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Access-Control-Allow-Credentials" not in refused.headers


@pytest.mark.parametrize("value", ["*", "app.example.com", "https://app.example.com/", "https://a b"])
def test_bad_origins(settings, value):
    with pytest.raises(ValidationError, match="CORS_ALLOWED_ORIGINS"):
        make_settings(**settings.model_dump() | {"cors_allowed_origins": value})


def preflight(origin: str) -> dict:
    return {"Origin": origin, "Access-Control-Request-Method": "PATCH"}


def run_app(code: str, **environment) -> str:
    command = [sys.executable, "-c", f"import sys\n{code}"]
    values = {"PYTHONPATH": str(SOURCE), "ENVIRONMENT": "alpha", "DB_TYPE": "sqlite", "DB_SQLITE_PATH": "/tmp/none.db"}
    result = subprocess.run(command, env=values | environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


REQUEST = """
from backend.app import create_app
from backend.config import load_settings
from backend.tracing import configure_tracing, flush_traces, outgoing_headers
settings = load_settings()
configure_tracing(settings)
client = create_app(settings).test_client()
parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
client.get("/api/v1/users", headers={"traceparent": parent})
flush_traces()
"""


def test_without_an_endpoint_no_tracer_and_no_exporter_is_loaded():
    # redis-py loads the metrics API by itself where it is installed.
    parts = "('opentelemetry.sdk.trace', 'opentelemetry.exporter')"
    loaded = run_app(REQUEST + f"print([name for name in sys.modules if name.startswith({parts})])")
    assert loaded.splitlines()[-1] == "[]"


def test_spans_reach_the_collector_and_join_the_caller_s_trace():
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        run_app(REQUEST, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
    sent = b"".join(received)
    assert b"GET /api/v1/users" in sent
    assert bytes.fromhex("0af7651916cd43dd8448eb211c80319c") in sent


def test_gauges_of_what_waits(services):
    services.database.write(lambda db: store.insert(db, "cleanup.jobs", {}))
    measure_backlog(services)
    sample = services.metrics.registry.get_sample_value
    assert sample("background_waiting", {"what": "jobs", "state": "queued"}) == 1
    assert sample("background_waiting", {"what": "webhooks", "state": "dead"}) == 0
    assert sample("background_waiting", {"what": "events", "state": "undispatched"}) > 0
