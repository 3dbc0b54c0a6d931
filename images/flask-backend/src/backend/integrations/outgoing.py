"""The client for other people's servers: the pattern for every integration.

Time limits on all steps, a fence against private addresses, no redirects, no proxies from the environment, a
bounded answer, a circuit breaker per host, and retries where a call may be repeated.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2
import pybreaker
import tenacity

from backend.integrations.addresses import AddressFence, ForbiddenAddress, UnknownHost
from backend.integrations.deadline import Deadline

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
TOTAL_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024
FAILURES_TO_OPEN = 5
OPEN_SECONDS = 30
_MAX_BREAKERS = 1000


class OutgoingError(Exception):
    """The call failed; the text is one line for its owner."""


class TemporarilyFailed(OutgoingError):
    """The call failed in a way that a later one may not."""


class CircuitOpen(OutgoingError):
    """The host failed so often that it is left alone for a while; nothing was sent."""


@dataclass(frozen=True)
class Answer:
    """Status and the first `MAX_ANSWER_BYTES` of the body."""

    status: int
    body: bytes


class OutgoingClient:
    """Calls other servers; one for the process, safe in threads.

    Args:
        fence: which addresses may be called.
        verify: what `httpx2.Client` takes; tests pass a context of their own.
    """

    def __init__(self, fence: AddressFence, verify=True):
        self._fence = fence
        # A connection is never used again: the next call may have another address.
        limits = httpx2.Limits(max_keepalive_connections=0)
        timeout = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        self._client = httpx2.Client(
            verify=verify, trust_env=False, follow_redirects=False, limits=limits, timeout=timeout
        )
        self._breakers: dict[str, pybreaker.CircuitBreaker] = {}
        self._lock = threading.Lock()

    def call(self, method: str, url: str, headers: dict[str, str], body: bytes = b"", tries: int = 1) -> Answer:
        """One exchange; the answer may have any status below 500 but 429.

        Args:
            tries: more than 1 only for what may be repeated.

        Raises:
            CircuitOpen: nothing was sent.
            TemporarilyFailed: no answer in time, or 429 or 5xx.
            OutgoingError: the address is forbidden.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TemporarilyFailed),
            stop=tenacity.stop_after_attempt(tries),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=2),
            reraise=True,
        )
        return retrying(self._guarded, method, url, headers, body)

    def _guarded(self, method: str, url: str, headers: dict, body: bytes) -> Answer:
        try:
            return self._breaker(url).call(self._once, method, url, headers, body)
        except pybreaker.CircuitBreakerError:
            raise CircuitOpen(f"the host failed {FAILURES_TO_OPEN} times in a row; paused") from None

    def _breaker(self, url: str) -> pybreaker.CircuitBreaker:
        key = urlsplit(url).netloc
        with self._lock:
            if len(self._breakers) >= _MAX_BREAKERS:
                self._breakers.clear()
            if key not in self._breakers:
                self._breakers[key] = pybreaker.CircuitBreaker(
                    fail_max=FAILURES_TO_OPEN,
                    reset_timeout=OPEN_SECONDS,
                    exclude=[lambda error: not isinstance(error, TemporarilyFailed)],
                    throw_new_error_on_trip=False,
                )
            return self._breakers[key]

    def _once(self, method: str, url: str, headers: dict, body: bytes) -> Answer:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            address = self._fence.address(parts.hostname, port)
        except ForbiddenAddress as error:
            raise OutgoingError(str(error)) from None
        except UnknownHost as error:
            raise TemporarilyFailed(str(error)) from None
        # The request goes to the address that was checked; the name is for Host, SNI and the certificate.
        target = httpx2.URL(url).copy_with(host=address)
        named = {**headers, "Host": parts.netloc.rpartition("@")[2]}
        with Deadline(TOTAL_SECONDS) as deadline:
            try:
                answer = self._send(method, target, named, body, parts.hostname, deadline)
            except (httpx2.TransportError, httpx2.InvalidURL) as error:
                if not deadline.passed:
                    raise TemporarilyFailed(f"{type(error).__name__}: {error}"[:300]) from None
            # Also when what came until then looks complete.
            if deadline.passed:
                raise TemporarilyFailed(f"the answer took more than {TOTAL_SECONDS:.0f} s")
        if answer.status >= 500 or answer.status == 429:
            raise TemporarilyFailed(f"answered {answer.status}")
        return answer

    def _send(
        self, method: str, target: httpx2.URL, headers: dict, body: bytes, host: str, deadline: Deadline
    ) -> Answer:
        extensions = {"sni_hostname": host, "trace": deadline.trace}
        options = {"headers": headers, "content": body, "extensions": extensions}
        with self._client.stream(method, target, **options) as response:
            received = b""
            for chunk in response.iter_raw(4096):
                received += chunk
                if len(received) >= MAX_ANSWER_BYTES:
                    break
            return Answer(response.status_code, received[:MAX_ANSWER_BYTES])
