"""A headless Chromium of this machine, one signed-in session a role, and an eye on everything that goes wrong."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest
from browsing import PASSWORD, Account, Sessions, chromium, storage_of
from pages import ROLES
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright
from watch import Watch

from support import Api

# For what a busy machine takes long for; whatever is right comes at once elsewhere.
PATIENCE_MS = 30_000


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Browser:
    return chromium(playwright)


@pytest.fixture(scope="session")
def new_account(admin: Api) -> Iterator[Callable[..., Account]]:
    """Makes users with names of their own, so that runs do not meet; they are deleted at the end."""
    made: list[int] = []

    def make(role: str, **fields) -> Account:
        name = f"{role}-{secrets.token_hex(4)}"
        body = {"email": f"e2e-{name}@example.com", "full_name": f"Test {name}", "role": role, "password": PASSWORD}
        user = admin.http.post("/users", json=body | fields).raise_for_status().json()
        made.append(user["id"])
        return Account(user["id"], user["email"], role)

    yield make
    for number in made:
        assert admin.http.delete(f"/users/{number}").status_code in (204, 404)


@pytest.fixture(scope="session")
def accounts(new_account) -> dict[str, Account]:
    """One user a role, shared by all tests that only look."""
    return {role: new_account(role) for role in ROLES}


@pytest.fixture(scope="session")
def sessions(accounts: dict[str, Account], base_url: str) -> Sessions:
    return Sessions(base_url, accounts)


@pytest.fixture(scope="session")
def session_watch() -> Watch:
    return Watch()


@pytest.fixture(autouse=True)
def watch(session_watch: Watch) -> Iterator[Watch]:
    """Fails a test in whose pages anything went wrong that it did not name."""
    yield session_watch
    unexpected, missing = session_watch.finish()
    assert not unexpected, "\n".join(["the browser reports:", *unexpected])
    assert not missing, f"expected, but the browser reports no: {missing}"


@pytest.fixture(scope="session")
def new_context(browser: Browser, base_url: str, session_watch: Watch) -> Callable[..., BrowserContext]:
    """Browser profiles of their own, watched; without animations, which nothing has to wait for then."""

    def make(width: int = 1440, height: int = 900, **options) -> BrowserContext:
        context = browser.new_context(
            base_url=base_url, viewport={"width": width, "height": height}, reduced_motion="reduce", **options
        )
        session_watch.context(context)
        return context

    return make


@pytest.fixture(scope="module")
def pages(new_context, accounts, base_url: str) -> Iterator[dict[str, Page]]:
    """One page a role for tests that only look: the program is loaded once for all of them."""
    # Sessions of their own, which the browser may renew: a module can take longer than a token lives.
    opened = {role: new_context(storage_state=storage_of(base_url, accounts[role])).new_page() for role in ROLES}
    yield opened
    for page in opened.values():
        page.context.close()


@pytest.fixture
def open_context(new_context, watch: Watch) -> Iterator[Callable[..., BrowserContext]]:
    """Contexts that end with the test."""
    opened = []

    def make(**options) -> BrowserContext:
        opened.append(new_context(**options))
        return opened[-1]

    yield make
    for context in opened:
        context.close()


@pytest.fixture
def open_page(open_context, sessions) -> Callable[..., Page]:
    """A page of a new profile: signed in as the shared user of a role, or not at all. It has gone nowhere yet."""

    def make(role: str | None = None, **options) -> Page:
        return open_context(storage_state=sessions[role] if role else None, **options).new_page()

    return make


@pytest.fixture
def signed_in(open_context, base_url: str) -> Callable[..., Page]:
    """A page with a session of its own, for tests that end or change it."""

    def make(account: Account, **options) -> Page:
        return open_context(storage_state=storage_of(base_url, account), **options).new_page()

    return make
