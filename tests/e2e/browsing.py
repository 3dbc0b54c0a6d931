"""What opens a browser and signs in, for the tests and for `make screenshots`."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass

import httpx
from playwright.sync_api import Browser, Locator, Page, Playwright, expect

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
PASSWORD = "correct horse battery"
CSRF = {"X-Requested-With": "triptych"}


@dataclass(frozen=True)
class Account:
    """A user made for the tests."""

    id: int
    email: str
    role: str
    password: str = PASSWORD

    @property
    def login(self) -> dict[str, str]:
        return {"email": self.email, "password": self.password}


def chromium(playwright: Playwright, *more_flags: str) -> Browser:
    """This machine's Chromium, without a window."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert program, "no Chromium on this machine; run: bash ci/prerequisites.sh"
    # Chromium's own sandbox cannot start as root.
    flags = [*FLAGS, *more_flags, "--no-sandbox"] if os.geteuid() == 0 else [*FLAGS, *more_flags]
    return playwright.chromium.launch(executable_path=program, args=flags)


def sign_in(page: Page, email: str, password: str) -> None:
    """Fill the form of the login page and send it."""
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def toast(page: Page, text: str) -> Locator:
    """The message as people see it, for seconds; what screen readers are told is gone after one."""
    return page.get_by_role("region", name="Notifications").get_by_role("listitem").filter(has_text=text)


def open_palette(page: Page) -> Locator:
    """Press its keys once the page hears them, and wait until it takes what is typed."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Command palette")
    expect(palette.get_by_role("combobox")).to_be_focused()
    return palette


def choose(page: Page, text: str, option: str) -> None:
    """Open the palette, type until the option is the only one, and press Enter."""
    palette = open_palette(page)
    page.keyboard.type(text)
    expect(palette.get_by_role("option")).to_have_text([option])
    expect(palette.get_by_role("option")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(palette).to_be_hidden()


def storage_of(base_url: str, account: Account) -> dict:
    """Log in as the login page does; the cookies as Playwright stores them."""
    answer = httpx.post(f"{base_url}/bff/login", json=account.login, headers=CSRF, timeout=60).raise_for_status()
    attributes = {"path": "/", "domain": httpx.URL(base_url).host, "httpOnly": True, "secure": False}
    cookies = [
        {"name": cookie.name, "value": cookie.value, "sameSite": "Strict", "expires": cookie.expires or -1} | attributes
        for cookie in answer.cookies.jar
    ]
    return {"cookies": cookies, "origins": []}


class Sessions:
    """Storage of a browser with a session of the shared user of a role.

    Logins are slow on purpose, so one serves many profiles, but only while its token is young: two profiles that
    renew it would look like a thief, and end it.
    """

    YOUNG_SECONDS = 300

    def __init__(self, base_url: str, accounts: dict[str, Account]) -> None:
        self._base_url, self._accounts = base_url, accounts
        self._kept: dict[str, tuple[dict, float]] = {}

    def __getitem__(self, role: str) -> dict:
        storage, old_at = self._kept.get(role, ({}, 0.0))
        if time.monotonic() < old_at:
            return storage
        storage = storage_of(self._base_url, self._accounts[role])
        self._kept[role] = storage, time.monotonic() + self.YOUNG_SECONDS
        return storage
