#!/usr/bin/env python3
"""`make screenshots`: every page of the running platform, with mock data, into docs/screenshots/ as small WebP files."""

from __future__ import annotations

import argparse
import base64
import importlib.util
import os
import sys
from collections.abc import Iterator

import release
import seed_mock_data
from common import ROOT, CiError, log, main_guard, python

FOLDER = ROOT / "docs" / "screenshots"
SIZES = {1440: 900, 390: 844}
LIGHT = ("dashboard", "guard", "users")  # besides the dark ones, wide only
QUALITY = 70
MOST_BYTES = 60_000
# Charts of what changes need some looks at it.
SETTLE_SECONDS = {"/": 15, "/ingest": 7, "/guard": 4}
SHOWN_USER = "grace@example.com"


def pictures() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Name, address and awaited contents of each page's first view."""
    from pages import views

    yield "login", "/login", ("form",)
    seen = set()
    for view in views():
        if view.page not in seen:
            seen.add(view.page)
            path = view.page.path.replace("/{user}", "-one").strip("/")
            yield path or "dashboard", view.address, view.contents


def take(url: str, email: str, password: str) -> None:
    """Write all pictures. Raises `CiError` when one is too large to keep in a repository."""
    from browsing import chromium, sign_in
    from playwright.sync_api import sync_playwright

    api = seed_mock_data.Api(url, email, password)
    seed_mock_data.seed(api)
    _, found = api.call("GET", f"/users?search={SHOWN_USER}", None, expect=(200,))
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        context = browser.new_context(base_url=url, reduced_motion="reduce")
        page = context.new_page()
        for name, address, contents in pictures():
            page.goto(address.format(user=found["users"][0]["id"]))
            for content in contents:
                page.get_by_role("main").locator(content).first.wait_for()
            page.wait_for_timeout(1_000 * SETTLE_SECONDS.get(address.split("?")[0], 1))
            for width in SIZES:
                shoot(page, f"{name}-{width}", width, "dark")
            if name in LIGHT:
                shoot(page, f"{name}-light", max(SIZES), "light")
            if name == "login":
                page.set_viewport_size({"width": 1440, "height": 900})
                sign_in(page, email, password)
                page.get_by_role("heading", level=1, name="Dashboard").wait_for()
        browser.close()


def shoot(page, name: str, width: int, theme: str) -> None:
    """Write one picture of what the page shows now."""
    page.set_viewport_size({"width": width, "height": SIZES[width]})
    page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
    page.wait_for_timeout(300)
    # Playwright itself knows PNG and JPEG only; WebP is a fifth of their size here.
    shot = page.context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    data = base64.b64decode(shot["data"])
    if len(data) > MOST_BYTES:
        raise CiError(f"{name} takes {len(data)} bytes, more than {MOST_BYTES}; lower QUALITY in ci/screenshots.py")
    (FOLDER / f"{name}.webp").write_bytes(data)
    log(f"docs/screenshots/{name}.webp {len(data) // 1000} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default=release.from_environment().url, help="of the web UI (default: %(default)s)")
    parser.add_argument("--email", default="admin@example.com", help="an admin's (default: %(default)s)")
    parser.add_argument("--password", default=os.environ.get("ADMIN_PASSWORD") or "admin", help="or ADMIN_PASSWORD")
    arguments = parser.parse_args()
    if not importlib.util.find_spec("playwright"):
        os.execv(python(), [python(), *sys.argv])
    sys.path += [str(ROOT / "tests"), str(ROOT / "tests" / "e2e")]
    FOLDER.mkdir(exist_ok=True)
    take(arguments.url, arguments.email, arguments.password)


if __name__ == "__main__":
    main_guard(main)
