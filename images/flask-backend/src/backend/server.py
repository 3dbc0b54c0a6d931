"""Granian with one worker process and a number of threads."""

from __future__ import annotations

import socket
from pathlib import Path

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from backend.config import Settings
from backend.logs import dict_config

DRAIN_SECONDS = 25
HEAD_SECONDS = 30


class _Server(Granian):
    """Granian, which waits for ever for a client that does not read its answer, over sockets that do not.

    The kernel ends a connection whose peer took nothing for `send_timeout_seconds`: with it the generator of the
    answer, and the thread that runs it. Accepted sockets inherit the option from the listening one.
    """

    def __init__(self, *args, send_timeout_seconds: int, **kwargs):
        super().__init__(*args, **kwargs)
        self._send_timeout = send_timeout_seconds * 1000

    def _init_shared_socket(self) -> None:
        # As Granian does it elsewhere than on Linux, where each of its workers has a listening socket of its own.
        super()._init_shared_socket()
        self._shd, self._ssp = self._ssp.build(), None
        self._sfd = self._shd.get_fd()
        self._sso = socket.socket(fileno=self._sfd)
        self._sso.set_inheritable(True)
        self._sso.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._send_timeout)


def serve(settings: Settings, address: str, reload: bool) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is under way for up to `DRAIN_SECONDS`."""
    _Server(
        "backend.app:create_served_app",
        factory=True,
        address=address,
        port=settings.port,
        interface=Interfaces.WSGI,
        # Telling HTTP/1 from HTTP/2 has no time limit: silent connections took all places.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=1000 * min(HEAD_SECONDS, settings.send_timeout_seconds)),
        workers=1,
        blocking_threads=settings.threads,
        send_timeout_seconds=settings.send_timeout_seconds,
        websockets=False,
        log_level=settings.log_level,
        log_dictconfig=dict_config(settings.log_level),
        workers_kill_timeout=DRAIN_SECONDS,
        respawn_failed_workers=False,
        reload=reload,
        reload_paths=[Path(__file__).parent] if reload else None,
    ).serve()
