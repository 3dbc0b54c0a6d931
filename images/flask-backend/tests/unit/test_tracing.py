"""Traces as a collector receives them: one for a request, with its statements and its calls, and no value in it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

TESTS = Path(__file__).resolve().parents[1]
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
# None may be part of an id, a port or a time by chance.
SECRETS = ("o'brien@example.com", "Brien", "a secret of mine", "No. 4711")
# What a caller does, in a process of its own: tracing is started once per process.
SCRIPT = f"""
import json, sys
sys.path.insert(0, {str(TESTS)!r})
from guard_node import GuardNode
from backend.app import create_app
from backend.config import load_settings
from backend.database.migrate import migrate
from backend.guard import client
from backend.tracing import configure_tracing, flush_traces
from backend.users.first_admin import create_first_admin

heard = []
client.DEADLINE_SECONDS = 20  # on a busy machine a second may be too short

class Node(GuardNode):
    def _remember(self, context):
        heard.extend(value for key, value in context.invocation_metadata() if key == "traceparent")

with Node() as node:
    settings = load_settings().model_copy(update={{"go_backend_target": node.target}})
    migrate(settings, 60, lambda line: None)
    create_first_admin(settings, lambda line: None)
    configure_tracing(settings)
    client = create_app(settings).test_client()
    traced = {{"traceparent": "00-{TRACE}-{CALLER}-01"}}
    login = client.post("/api/v1/auth/login", json={{"email": "admin@example.com", "password": "admin"}}, headers=traced)
    traced["Authorization"] = "Bearer " + login.json["access_token"]
    user = {{"email": "o'brien@example.com", "full_name": "Brien No. 4711", "role": "viewer", "password": "a secret of mine"}}
    answers = [client.post("/api/v1/users", json=user, headers=traced) for _ in range(2)]
    answers += [client.get("/api/v1/users?search=Brien%20No.%204711", headers=traced)]
    answers += [client.get("/api/v1/guard/status", headers=traced)]
    flush_traces()
print(json.dumps({{"statuses": [answer.status_code for answer in answers], "heard": heard}}))
"""


def run(code: str, **environment) -> str:
    source = TESTS.parent / "src"
    values = {"PYTHONPATH": str(source), "ENVIRONMENT": "alpha", "PASSWORD_HASH_COST": "4", "DB_TYPE": "sqlite"}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env=values | environment, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[-1]


class Collector(BaseHTTPRequestHandler):
    """Keeps what it is sent; `received` is set on a subclass."""

    received: list[bytes]

    def do_POST(self) -> None:
        self.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_) -> None:
        pass


@pytest.fixture(scope="module")
def traced(tmp_path_factory) -> tuple[list[Span], bytes, dict]:
    """The spans, the bytes that carried them, and what the script printed."""
    received: list[bytes] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("One", (Collector,), {"received": received}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        printed = run(
            SCRIPT,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{server.server_port}",
            DB_SQLITE_PATH=str(tmp_path_factory.mktemp("traced") / "traced.db"),
            # Nobody listens there.
            REDIS_HOST="127.0.0.1",
            REDIS_PORT="1",
        )
    finally:
        server.shutdown()
        server.server_close()
    spans = [
        span
        for body in received
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    return spans, b"".join(received), json.loads(printed)


def attributes(span: Span) -> dict:
    return {item.key: item.value.string_value or item.value.int_value for item in span.attributes}


def test_without_an_endpoint_no_tracer_and_no_exporter_is_loaded(tmp_path):
    # redis-py loads the metrics API by itself where it is installed.
    parts = "('opentelemetry.sdk.trace', 'opentelemetry.exporter')"
    code = SCRIPT + f"\nprint([name for name in sys.modules if name.startswith({parts})])"
    assert run(code, DB_SQLITE_PATH=str(tmp_path / "untraced.db")) == "[]"


def test_everything_joins_the_callers_trace(traced):
    spans, _, printed = traced
    assert printed["statuses"] == [201, 409, 200, 200]
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    requests = {span.span_id: span.name for span in spans if span.kind == Span.SPAN_KIND_SERVER}
    assert set(requests.values()) >= {"POST /api/v1/auth/login", "POST /api/v1/users", "GET /api/v1/users"}
    assert {span.parent_span_id.hex() for span in spans if span.span_id in requests} == {CALLER}
    assert {span.parent_span_id for span in spans if span.kind == Span.SPAN_KIND_CLIENT} <= requests.keys()


def test_statements_have_no_values(traced):
    spans, sent, _ = traced
    statements = [attributes(span) for span in spans if attributes(span).get("db.system.name") == "sqlite"]
    assert {"SELECT", "INSERT", "COMMIT"} <= {found["db.operation.name"] for found in statements}
    (inserted,) = {found["db.query.text"] for found in statements if 'INSERT INTO "users"' in found["db.query.text"]}
    assert "?" in inserted
    for secret in SECRETS:
        assert secret.encode() not in sent, secret
    refused = [span for span in spans if attributes(span).get("error.type") == "IntegrityError"]
    assert [span.status.code for span in refused] == [Status.STATUS_CODE_ERROR]


def test_calls_to_the_nodes_are_spans_that_the_nodes_hear_of(traced):
    spans, _, printed = traced
    calls = [span for span in spans if attributes(span).get("rpc.system") == "grpc"]
    assert "guard.v1.GuardService/GetRevision" in {span.name.removeprefix("triptych.") for span in calls}
    ours = {f"00-{TRACE}-{span.span_id.hex()}-01" for span in calls}
    assert printed["heard"] and set(printed["heard"]) <= ours
    assert {attributes(span)["rpc.grpc.status_code"] for span in calls} == {0}


def test_redis_is_a_span_also_when_it_is_away(traced):
    spans, _, _ = traced
    asked = [attributes(span) for span in spans if attributes(span).get("db.system.name") == "redis"]
    assert asked and {found["error.type"] for found in asked} == {"ConnectionError"}
