"""Traces over OTLP when `OTEL_EXPORTER_OTLP_ENDPOINT` is set; otherwise nothing of OpenTelemetry is loaded.

The exporter reads the other `OTEL_*` variables itself (headers, sampler, resource attributes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from flask import Flask, Response, g, request

from backend.config import Settings

_tracer = None
_QUIET = {"/healthz", "/readyz", "/metrics"}
_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")
_MAX_STATEMENT = 2000


def configure_tracing(settings: Settings, service: str = "flask-backend") -> None:
    """Start exporting when an endpoint is configured; call it after fork, once."""
    global _tracer
    if not settings.otel_exporter_otlp_endpoint:
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": service, "service.version": settings.triptych_version})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _tracer = trace.get_tracer("backend")


def flush_traces() -> None:
    """Send what is buffered, before the process ends."""
    if _tracer is not None:
        from opentelemetry import trace

        trace.get_tracer_provider().shutdown()


@contextmanager
def span(name: str, **attributes) -> Iterator[None]:
    """Trace the block as a part of what goes on; free of cost without an endpoint."""
    if _tracer is None:
        yield
        return
    with _tracer.start_as_current_span(name, attributes=attributes):
        yield


def statement_span(system: str, statement: str):
    """Context in which an SQL statement runs, as a part of what goes on; its literals are left out."""
    if _tracer is None:
        return nullcontext()
    text = _LITERAL.sub("?", statement)[:_MAX_STATEMENT]
    name = statement.split(None, 1)[0].upper()
    return _client_block(name, {"db.system.name": system, "db.operation.name": name, "db.query.text": text})


def redis_span(operation: str):
    """Context in which Redis is asked, as a part of what goes on."""
    if _tracer is None:
        return nullcontext()
    return _client_block(operation, {"db.system.name": "redis", "db.operation.name": operation})


@contextmanager
def _client_block(name: str, attributes: dict) -> Iterator[None]:
    started = client_span(name, attributes)
    if started is None:
        yield
        return
    try:
        yield
    except Exception as error:
        # The text of an error may quote values of a row.
        end_client_span(started, type(error).__name__)
        raise
    end_client_span(started)


def client_span(name: str, attributes: dict):
    """A started span of a call to another server, or None where nothing is traced; end it by `end_client_span`."""
    if _tracer is None:
        return None
    from opentelemetry import trace

    # What loops do on their own belongs to no trace.
    if not trace.get_current_span().get_span_context().is_valid:
        return None
    return _tracer.start_span(name, kind=trace.SpanKind.CLIENT, attributes=attributes)


def end_client_span(started, error: str = "") -> None:
    """End the span; `error` is the kind of failure, no text of it."""
    if error:
        from opentelemetry.trace import Status, StatusCode

        started.set_attribute("error.type", error)
        started.set_status(Status(StatusCode.ERROR))
    started.end()


def outgoing_headers(caller=None) -> list[tuple[str, str]]:
    """Headers (or gRPC metadata) by which the callee's spans join this trace.

    Args:
        caller: the span of the call; by default the one that goes on.
    """
    if _tracer is None:
        return []
    from opentelemetry import trace
    from opentelemetry.propagate import inject

    carrier: dict[str, str] = {}
    inject(carrier, trace.set_span_in_context(caller) if caller else None)
    return list(carrier.items())


def init_tracing(app: Flask) -> None:
    """A server span around every request, joined to the caller's trace by `traceparent`."""

    @app.before_request
    def start() -> None:
        if _tracer is None or request.path in _QUIET:
            return
        from opentelemetry import context, trace
        from opentelemetry.propagate import extract

        parent = extract({key.lower(): value for key, value in request.headers.items()})
        route = request.url_rule.rule if request.url_rule else "unmatched"
        attributes = {"http.request.method": request.method, "http.route": route, "url.path": request.path}
        started = _tracer.start_span(
            f"{request.method} {route}", context=parent, kind=trace.SpanKind.SERVER, attributes=attributes
        )
        g.span = started, context.attach(trace.set_span_in_context(started, parent))

    @app.after_request
    def label(response: Response) -> Response:
        if "span" in g:
            g.span[0].set_attribute("http.response.status_code", response.status_code)
            g.span[0].set_attribute("triptych.request_id", response.headers.get("X-Request-ID", ""))
        return response

    @app.teardown_request
    def end(_error) -> None:
        if "span" in g:
            from opentelemetry import context

            started, token = g.pop("span")
            started.end()
            context.detach(token)
