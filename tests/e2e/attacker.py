"""Another origin: a page that a stranger serves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<!doctype html><title>Stranger</title><body>"


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        script = self.path.endswith(".js")
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if script else "text/html")
        self.end_headers()
        self.wfile.write(b"window.injected = 'from elsewhere'" if script else PAGE)

    def log_message(self, *arguments) -> None:
        pass


@contextmanager
def serving() -> Iterator[int]:
    """The port at which the page is served, at every name of this machine."""
    server = ThreadingHTTPServer(("", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
