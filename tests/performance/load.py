"""A small load generator: keep-alive connections in threads, latencies of every request."""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import dataclass, field


@dataclass
class Result:
    """Latencies in seconds of the requests that answered as expected, and the number of all others."""

    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Latency in seconds below which this share of the requests stayed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def run(port: int, connections: int, seconds: float, requests) -> Result:
    """Send requests at once over a number of connections, for so long.

    Args:
        requests: called with the number of a connection; yields `(method, path, headers, body, expected status)`.
    """
    result, end = Result(), time.monotonic() + seconds
    threads = [
        threading.Thread(target=_connection, args=(port, requests(number), end, result))
        for number in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return result


def call(port: int, method: str, path: str, body: dict | None = None, token: str = "") -> tuple[int, dict]:
    """One request: status and JSON body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if content else {}


def _connection(port: int, requests, end: float, result: Result) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for method, path, headers, body, expected in requests:
        if time.monotonic() > end:
            break
        started = time.perf_counter()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except OSError as error:
            result.errors.append(f"{type(error).__name__}: {error}")
            connection.close()
            continue
        if answer.status == expected:
            result.latencies.append(time.perf_counter() - started)
        else:
            result.errors.append(f"{answer.status} {content[:200]!r}")
    connection.close()
