"""Limits failed attempts to prove who one is: per address, per account and address, and per account.

The limit per account would let a stranger lock a user out, so it never closes: beyond it one attempt a minute
goes on, and an address from which the user signed in lately is not held to it at all.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis

from backend.auth.counters import Counters

PAIR_LIMIT, PAIR_WINDOW = 10, 600
ADDRESS_LIMIT, ADDRESS_WINDOW = 100, 600
# Together at most 100 guesses an hour from all addresses that the user never used (ASVS 5, 6.3.1).
ACCOUNT_LIMIT, ACCOUNT_WINDOW = 40, 3600
SLOW_WINDOW = 60


class Throttled(Exception):
    """Too many attempts. `retry_after` seconds from now the next one is looked at.

    `scope` tells of what there were too many: `address`, `pair` (of account and address) or `account`.
    """

    def __init__(self, seconds: float, scope: str):
        super().__init__(f"{seconds:.0f} s")
        self.retry_after = max(1, math.ceil(seconds))
        self.scope = scope


@dataclass(frozen=True)
class Attempt:
    """What one attempt was counted under: key and window of each counter."""

    counted: tuple[tuple[str, int], ...]


class LoginThrottle:
    """Counts attempts before anything is checked, so that parallel guesses count as well."""

    def __init__(self, redis: Redis | None):
        self.counters = Counters(redis)

    def begin(self, kind: str, account: str, address: str, is_known: Callable[[], bool]) -> Attempt:
        """Count an attempt.

        Args:
            kind: what is guessed; each has counters of its own.
            account: the folded e-mail address, whether there is such a user or not.
            address: of the client; an IPv6 network of 64 bits counts as one.
            is_known: asked only beyond the account's limit: did this user sign in from this address lately?

        Raises:
            Throttled: too many failures.
        """
        name = hashlib.sha256(account.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        network = network_of(address)
        limits = (
            ("address", f"{kind}:{network}", ADDRESS_LIMIT, ADDRESS_WINDOW),
            ("pair", f"{kind}:{name}:{network}", PAIR_LIMIT, PAIR_WINDOW),
        )
        counts = [(scope, self.counters.add(key, 1, window), limit) for scope, key, limit, window in limits]
        waits = [(count.seconds_left, scope) for scope, count, limit in counts if count.value > limit]
        if waits:
            raise Throttled(*max(waits))
        account_key = f"{kind}:account:{name}"
        in_total = self.counters.add(account_key, 1, ACCOUNT_WINDOW)
        if in_total.value > ACCOUNT_LIMIT and not is_known():
            self._slow_down(f"{kind}:slow:{name}")
        windows = [(key, window) for _, key, _, window in limits]
        return Attempt((*windows, (account_key, ACCOUNT_WINDOW)))

    def succeeded(self, attempt: Attempt) -> None:
        """Take the attempt back: only failures count."""
        for key, window in attempt.counted:
            self.counters.add(key, -1, window)

    def _slow_down(self, key: str) -> None:
        turn = self.counters.add(key, 1, SLOW_WINDOW)
        if turn.value > 1:
            raise Throttled(turn.seconds_left, "account")


def network_of(address: str) -> str:
    """The address itself, or the /64 network of an IPv6 address, which one client has for itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
