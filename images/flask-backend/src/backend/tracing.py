"""Traces over OTLP when `OTEL_EXPORTER_OTLP_ENDPOINT` is set; otherwise nothing of OpenTelemetry is loaded.

The exporter reads the other `OTEL_*` variables itself (headers, sampler, resource attributes).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, Response, g, request

from backend.config import Settings

_tracer = None
_QUIET = {"/healthz", "/readyz", "/metrics"}


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


def outgoing_headers() -> list[tuple[str, str]]:
    """Headers (or gRPC metadata) by which the callee's spans join this trace."""
    if _tracer is None:
        return []
    from opentelemetry.propagate import inject

    carrier: dict[str, str] = {}
    inject(carrier)
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
