"""The fence against server-side request forgery: which addresses the platform may call for a user."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], list[str]]
# IPv6 ranges that carry an IPv4 address, and the bit at which it begins (counted from the right).
_EMBEDDED = {
    ipaddress.ip_network("64:ff9b::/96"): 0,
    ipaddress.ip_network("::/96"): 0,
    ipaddress.ip_network("::ffff:0:0/96"): 0,
    ipaddress.ip_network("2002::/16"): 80,
}
_NEVER = (ipaddress.ip_network("64:ff9b:1::/48"), ipaddress.ip_network("2001::/32"), ipaddress.ip_network("fec0::/10"))


class ForbiddenAddress(Exception):
    """The address must not be called; the text says why and names the setting that allows it."""


class UnknownHost(Exception):
    """The name does not resolve."""


def resolve(host: str, port: int) -> list[str]:
    """Addresses of a host, in the system's order. Raises `UnknownHost`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnknownHost(f"{host} does not resolve: {error}") from None
    return list(dict.fromkeys(entry[4][0] for entry in found))


class AddressFence:
    """Checks addresses.

    Args:
        allowed: private networks that may be called all the same.
    """

    def __init__(self, allowed: list[Network], resolver: Resolver = resolve):
        self._allowed = allowed
        self._resolver = resolver

    def address(self, host: str, port: int) -> str:
        """An address of the host that may be called: connect to this one, never resolve again.

        Raises:
            ForbiddenAddress: any address of the host is forbidden, so that no answer can mix them.
            UnknownHost: it does not resolve.
        """
        addresses = self._resolver(host, port)
        if not addresses:
            raise UnknownHost(f"{host} has no address")
        for text in addresses:
            self.check(text)
        return addresses[0]

    def check(self, text: str) -> None:
        """Raise `ForbiddenAddress` unless the address is public, or in a network of the allow-list."""
        address = ipaddress.ip_address(text.partition("%")[0])
        inner = _unwrapped(address)
        if any(part in network for network in self._allowed for part in {address, inner}):
            return
        if not _is_public(address) or not _is_public(inner):
            raise ForbiddenAddress(
                f"{text} is no public address; WEBHOOK_ALLOWED_NETWORKS names private networks that may be called"
            )


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NEVER):
        return False
    mapped = address.version == 6 and address.ipv4_mapped is not None
    return mapped or (address.is_global and not address.is_multicast and not address.is_reserved) or _embeds(address)


def _embeds(address: Address) -> bool:
    return any(address in network for network in _EMBEDDED)


def _unwrapped(address: Address) -> Address:
    for network, shift in _EMBEDDED.items():
        if address in network:
            return ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
    return address
