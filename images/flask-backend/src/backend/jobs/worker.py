"""The command `backend worker`: background work in a process of its own, with health and metrics over HTTP."""

from __future__ import annotations

import json
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from backend.app import build_services
from backend.config import Settings
from backend.context import Services
from backend.health.service import readiness
from backend.jobs.background import Background
from backend.jobs.loops import platform_loops
from backend.tracing import configure_tracing, flush_traces

log = structlog.get_logger(__name__)
_SILENT_SECONDS = 120


def run_worker(settings: Settings, address: str) -> None:
    """Work until SIGTERM or SIGINT, then let jobs end or give them back."""
    configure_tracing(settings, "flask-backend-worker")
    services = build_services(settings)
    background = Background(services, settings.worker_threads, platform_loops(services))
    server = ThreadingHTTPServer((address, settings.port), _handler(services, background))
    server.daemon_threads = True
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    background.start()
    log.info("worker started", worker=background.name, threads=settings.worker_threads, port=settings.port)
    ended.wait()
    log.info("worker drains")
    background.stop()
    flush_traces()
    server.shutdown()
    log.info("worker ended")


def _handler(services: Services, background: Background) -> type[BaseHTTPRequestHandler]:
    started = time.monotonic()

    def healthz() -> tuple[int, str, bytes]:
        # A loop waits in its work (a slow receiver, a database away), but never so long.
        newest = max(background.beats.values(), default=started)
        silent = time.monotonic() - newest > _SILENT_SECONDS
        body = json.dumps({"status": "silent" if silent else "ok"}).encode()
        return 503 if silent else 200, "application/json", body

    def readyz() -> tuple[int, str, bytes]:
        document, status = readiness(services)
        return status, "application/json", json.dumps(document).encode()

    def metrics() -> tuple[int, str, bytes]:
        return 200, CONTENT_TYPE_LATEST, generate_latest(services.metrics.registry)

    routes = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            route = routes.get(self.path)
            status, content_type, body = route() if route else (404, "text/plain", b"not found\n")
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            pass

    return Handler
