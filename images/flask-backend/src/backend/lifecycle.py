"""The end of a server process: told by a signal while Granian still drains its requests."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

_ENDING = (signal.SIGTERM, signal.SIGINT)


def when_ending(call: Callable[[], None]) -> None:
    """Run `call` in a thread at the first SIGTERM or SIGINT. Call it once, in the main thread of the process.

    Granian installs its own Python handlers after the application is loaded, so this listens one level
    below them: Python writes the number of every handled signal to the wake-up descriptor.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def wait() -> None:
        while os.read(reader, 1)[0] not in _ENDING:
            pass
        call()

    threading.Thread(target=wait, name="lifecycle", daemon=True).start()
