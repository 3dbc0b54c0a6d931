"""What every gRPC call of this process has: the request id in its metadata, and TLS where it is set up."""

from __future__ import annotations

import collections
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog

from backend.tracing import client_span, end_client_span, outgoing_headers

REQUEST_ID = "x-request-id"
_Fields = collections.namedtuple("_Fields", "method timeout metadata credentials wait_for_ready compression")


class _Details(_Fields, grpc.ClientCallDetails):
    pass


class CallInterceptor(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Sends the id of the request (or job) on whose behalf a call is made, so that one id finds all logs.

    The call is a span of that request's trace.
    """

    def intercept_unary_unary(self, continuation, client_call_details, request):
        return _traced(continuation, client_call_details, request)

    def intercept_unary_stream(self, continuation, client_call_details, request):
        return _traced(continuation, client_call_details, request)


class _StreamCallInterceptor(grpc.StreamUnaryClientInterceptor):
    def intercept_stream_unary(self, continuation, client_call_details, request_iterator):
        return _traced(continuation, client_call_details, request_iterator)


@dataclass(frozen=True)
class Tls:
    """PEM files that secure channels; without certificate and key this side shows none."""

    ca_file: Path
    cert_file: Path | None = None
    key_file: Path | None = None

    def version(self) -> tuple[int, ...]:
        """Another value when a file was replaced, as Kubernetes does when a Secret changes. Raises `OSError`."""
        return tuple(path.stat().st_mtime_ns for path in (self.ca_file, self.cert_file, self.key_file) if path)

    def credentials(self) -> grpc.ChannelCredentials:
        """What the files hold now. Raises `OSError`."""
        key, certificate = (path and path.read_bytes() for path in (self.key_file, self.cert_file))
        return grpc.ssl_channel_credentials(self.ca_file.read_bytes(), key, certificate)


def open_channel(address: str, server_name: str, tls: Tls | None, options: list[tuple]) -> grpc.Channel:
    """A channel that bypasses HTTP proxies.

    Args:
        server_name: what the server's certificate must be for; the address is a pod's.
        tls: plain text when None.

    Raises:
        OSError: a file of `tls` cannot be read.
    """
    options = [("grpc.enable_http_proxy", 0), *options]
    if tls is None:
        return grpc.insecure_channel(address, options=options)
    options.append(("grpc.ssl_target_name_override", server_name))
    return grpc.secure_channel(address, tls.credentials(), options=options)


def intercepted(channel: grpc.Channel) -> grpc.Channel:
    """The channel, whose calls carry the request id."""
    return grpc.intercept_channel(channel, CallInterceptor(), _StreamCallInterceptor())


def _traced(continuation: Callable, details: grpc.ClientCallDetails, request):
    service, _, method = details.method.strip("/").rpartition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
    started = client_span(f"{service}/{method}", attributes)
    call = continuation(_with_id(details, started), request)
    if started:
        call.add_done_callback(lambda ended: _end(started, ended.code()))
    return call


def _end(started, code: grpc.StatusCode) -> None:
    started.set_attribute("rpc.grpc.status_code", code.value[0])
    end_client_span(started, "" if code is grpc.StatusCode.OK else code.name)


def _with_id(details: grpc.ClientCallDetails, caller) -> grpc.ClientCallDetails:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    own = [(REQUEST_ID, request_id)] if request_id else []
    metadata = [*(details.metadata or ()), *own, *outgoing_headers(caller)]
    return _Details(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready, details.compression
    )
