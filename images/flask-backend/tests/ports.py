"""Ports for servers that the tests start, end and start again."""

from __future__ import annotations

import itertools
import os
import random
import socket

_EACH = 1000
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_NUMBERS = itertools.count(random.randrange(_EACH))


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port that stays free until its server takes it, and while that is away.

    It is from this process's own share, below the range from which the kernel takes ports for whoever asks for any.
    """
    while True:
        port = 20_000 + _EACH * _WORKER + next(_NUMBERS) % _EACH
        with socket.socket(type=kind) as probe:
            # As a server does it: what an earlier one left in TIME_WAIT is in nobody's way.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
