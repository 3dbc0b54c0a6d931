"""Whatever goes wrong in a browser without anybody looking."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response

# A page that is left, or an event stream that is closed, ends its requests so.
ENDED = "net::ERR_ABORTED"
# The browser's own words about an answer; `answered` notes the answer itself.
ANSWER = "Failed to load resource: the server responded with a status of"


class Watch:
    """Notes console errors, uncaught exceptions, refused and failed requests of browser contexts.

    Attributes:
        problems: one line each, such as `403 GET /api/v1/users`, `failed GET /x: …`, `console: …`, `exception: …`.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._expected: list[str] = []
        self._allowed: list[str] = []

    def expect(self, *texts: str) -> None:
        """Problems that the test provokes, each by a part of its line; they must happen, as often as they like."""
        self._expected += texts

    def allow(self, *texts: str) -> None:
        """Problems that may happen, each by a part of its line."""
        self._allowed += texts

    def context(self, context: BrowserContext) -> None:
        """Watch every page of a context, of now and later."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.problems.append(f"exception: {error.error}"))
        context.on("response", self._answered)
        context.on("requestfailed", self._failed)

    def finish(self) -> tuple[list[str], list[str]]:
        """Problems that nobody expected and expected ones that did not happen; the next test begins with none."""
        known = self._expected + self._allowed
        unexpected = [line for line in self.problems if not any(text in line for text in known)]
        missing = [text for text in self._expected if not any(text in line for line in self.problems)]
        self.problems, self._expected, self._allowed = [], [], []
        return unexpected, missing

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(ANSWER):
            self.problems.append(f"console: {message.text}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status} {_name(response.request)}")

    def _failed(self, request: Request) -> None:
        if request.failure != ENDED:
            self.problems.append(f"failed {_name(request)}: {request.failure}")


def _name(request: Request) -> str:
    """Method and path, without scheme and host."""
    return f"{request.method} /{request.url.split('/', 3)[-1]}"
