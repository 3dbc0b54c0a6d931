"""Client of the Go backend: asks every node's pod behind the headless Service."""

from __future__ import annotations

import ipaddress
import socket
import threading

import grpc

from backend.grpc_calls import Tls, intercepted, open_channel
from backend.grpc_gen.ingest.v1 import ingest_pb2
from backend.grpc_gen.status.v1 import status_pb2, status_pb2_grpc

DEADLINE_SECONDS = 1.0
_OPTIONS = [("grpc.max_reconnect_backoff_ms", 2000)]
_MODES = {
    status_pb2.XDP_MODE_NATIVE: "native",
    status_pb2.XDP_MODE_GENERIC: "generic",
    status_pb2.XDP_MODE_OFF: "off",
}
_INGEST_MODES = {
    ingest_pb2.INGEST_MODE_UNSPECIFIED: "off",
    ingest_pb2.INGEST_MODE_AF_XDP_NATIVE: "af_xdp_native",
    ingest_pb2.INGEST_MODE_AF_XDP_GENERIC: "af_xdp_generic",
    ingest_pb2.INGEST_MODE_SOCKET: "socket",
}


class FastPathError(Exception):
    """The Go backend did not answer; the text is one line."""


class FastPath:
    """Channels to the Go pods, one per address. Make it after fork, as grpcio demands.

    Args:
        target: `host:port` of the headless Service; empty when the fast path is not installed.
        tls: plain text when None. Replaced files are read anew.
    """

    def __init__(self, target: str, tls: Tls | None = None):
        host, _, port = target.rpartition(":")
        self.installed = bool(target)
        self._host, self._port = host.strip("[]"), port
        self._tls, self._tls_version = tls, ()
        self._channels: dict[str, grpc.Channel] = {}
        self._lock = threading.Lock()

    def nodes(self) -> list[dict]:
        """State of every node that answers, sorted by name.

        Raises:
            FastPathError: the name does not resolve, or no node answered in `DEADLINE_SECONDS`.
        """
        stubs = [status_pb2_grpc.StatusServiceStub(channel) for channel in self.channels().values()]
        request = status_pb2.GetStatusRequest()
        calls = [stub.GetStatus.future(request, timeout=DEADLINE_SECONDS) for stub in stubs]
        nodes, reason = [], "the Service has no address"
        for call in calls:
            try:
                nodes.append(_node(call.result()))
            except grpc.RpcError as error:
                reason = f"{error.code().name}: {error.details()}"
        if not nodes:
            raise FastPathError(reason)
        return sorted(nodes, key=lambda node: node["node"])

    def channels(self) -> dict[str, grpc.Channel]:
        """A channel to every pod by its address. Raises `FastPathError` when the name does not resolve."""
        addresses = self._resolve()
        return dict(zip(addresses, self._channels_to(addresses), strict=True))

    def _resolve(self) -> list[str]:
        try:
            found = socket.getaddrinfo(self._host, int(self._port), type=socket.SOCK_STREAM)
        except OSError as error:
            raise FastPathError(f"{self._host} does not resolve: {error}") from None
        addresses = {ipaddress.ip_address(entry[4][0]) for entry in found}
        return [f"ipv{ip.version}:{_bracketed(ip)}:{self._port}" for ip in sorted(addresses, key=str)]

    def _channels_to(self, addresses: list[str]) -> list[grpc.Channel]:
        with self._lock:
            try:
                self._open(addresses)
            except OSError as error:
                raise FastPathError(f"the files for TLS cannot be read: {error}") from None
            return [self._channels[address] for address in addresses]

    def _open(self, addresses: list[str]) -> None:
        version = self._tls.version() if self._tls else ()
        kept = set(addresses) if version == self._tls_version else set()
        for gone in self._channels.keys() - kept:
            self._channels.pop(gone).close()
        self._tls_version = version
        for address in addresses:
            if address not in self._channels:
                self._channels[address] = intercepted(open_channel(address, self._host, self._tls, _OPTIONS))


def _bracketed(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return f"[{ip}]" if ip.version == 6 else str(ip)


def _node(answer: status_pb2.GetStatusResponse) -> dict:
    return {
        "node": answer.node_name,
        "version": answer.version,
        "kernel": answer.kernel_release,
        "xdp_mode": _MODES.get(answer.xdp.mode, "unknown"),
        "interface": answer.xdp.interface,
        "reason": answer.xdp.reason,
        "guard": {
            "enforcing": answer.guard.enforcement.enforcing,
            "reason": answer.guard.enforcement.reason,
            "revision": answer.guard.revision,
            "rules": answer.guard.rules,
        },
        "ingest": {
            "mode": _INGEST_MODES.get(answer.ingest.mode, "unknown"),
            "reason": answer.ingest.reason,
            "ports": list(answer.ingest.ports),
            "subscriptions": answer.ingest.subscriptions,
        },
        "numa_nodes": [
            {"id": node.id, "cpus": node.cpus, "memory_bytes": node.memory_bytes} for node in answer.numa_nodes
        ],
        "hugepages": [
            {"size_bytes": pool.page_size_bytes, "total": pool.total_pages, "free": pool.free_pages}
            for pool in answer.hugepage_pools
        ],
        "counters": [
            {"protocol": counter.protocol, "packets": counter.packets, "bytes": counter.bytes}
            for counter in answer.counters
        ],
    }
