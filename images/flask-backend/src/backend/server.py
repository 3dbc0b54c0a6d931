"""Granian with one worker process and a number of threads."""

from __future__ import annotations

from pathlib import Path

from granian import Granian
from granian.constants import Interfaces

from backend.config import Settings
from backend.logs import dict_config

DRAIN_SECONDS = 25


def serve(settings: Settings, address: str, reload: bool) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is under way for up to `DRAIN_SECONDS`."""
    Granian(
        "backend.app:create_served_app",
        factory=True,
        address=address,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=settings.threads,
        websockets=False,
        log_level=settings.log_level,
        log_dictconfig=dict_config(settings.log_level),
        workers_kill_timeout=DRAIN_SECONDS,
        respawn_failed_workers=False,
        reload=reload,
        reload_paths=[Path(__file__).parent] if reload else None,
    ).serve()
