"""What every gRPC call of this process has: the request id in its metadata."""

from __future__ import annotations

import collections

import grpc
import structlog

from backend.tracing import outgoing_headers

REQUEST_ID = "x-request-id"
_Fields = collections.namedtuple("_Fields", "method timeout metadata credentials wait_for_ready compression")


class _Details(_Fields, grpc.ClientCallDetails):
    pass


class RequestIdInterceptor(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Sends the id of the request (or job) on whose behalf a call is made, so that one id finds all logs."""

    def intercept_unary_unary(self, continuation, client_call_details, request):
        return continuation(_with_id(client_call_details), request)

    def intercept_unary_stream(self, continuation, client_call_details, request):
        return continuation(_with_id(client_call_details), request)


class _StreamRequestId(grpc.StreamUnaryClientInterceptor):
    def intercept_stream_unary(self, continuation, client_call_details, request_iterator):
        return continuation(_with_id(client_call_details), request_iterator)


def intercepted(channel: grpc.Channel) -> grpc.Channel:
    """The channel, whose calls carry the request id."""
    return grpc.intercept_channel(channel, RequestIdInterceptor(), _StreamRequestId())


def _with_id(details: grpc.ClientCallDetails) -> grpc.ClientCallDetails:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    own = [(REQUEST_ID, request_id)] if request_id else []
    metadata = [*(details.metadata or ()), *own, *outgoing_headers()]
    return _Details(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready, details.compression
    )
