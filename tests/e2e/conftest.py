"""A headless Chromium of this machine; every page that a test opens must stay free of console errors."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
# What the browser itself reports for an answer that a test provoked, for example a refused login.
EXPECTED_ERRORS = ("the server responded with a status of 401", "the server responded with a status of 403")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert program, "no Chromium on this machine; run: bash ci/prerequisites.sh"
    # Chromium's own sandbox cannot start as root.
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=flags)


@pytest.fixture
def open_page(browser: Browser, platform) -> Iterator[Callable[[], Page]]:
    """Opens pages, each in a browser profile of its own, at the platform's address."""
    errors: list[str] = []
    contexts = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(expected in message.text for expected in EXPECTED_ERRORS):
            errors.append(message.text)

    def open_one() -> Page:
        context = browser.new_context(base_url=platform.url, viewport={"width": 1440, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    expect.set_options(timeout=15_000)
    yield open_one
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def sign_in(open_page) -> Callable[[str, str], Page]:
    """Opens the platform and signs in through the form."""

    def sign(email: str, password: str) -> Page:
        page = open_page()
        page.goto("/")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        return page

    return sign
