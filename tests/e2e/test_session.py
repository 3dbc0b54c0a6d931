"""A session that runs out while the page works, in one tab and in two."""

from __future__ import annotations

import re

import httpx
import pytest
from browsing import sign_in
from playwright.sync_api import BrowserContext, Page, expect

from support import Api

pytestmark = pytest.mark.functional
ACCESS = "triptych_access"
RENEWED = re.compile(r'^webui_session_refreshes_total\{result="renewed"\} (\d+)', re.MULTILINE)
# Starts at once and is looked at later, so that two tabs run at the same time.
TEN_REQUESTS = """() => {
  window.answers = Promise.all(Array.from({ length: 10 }, async (_, number) => {
    const answer = await fetch(number % 2 ? "/api/v1/auth/me" : "/api/v1/permissions");
    return answer.status;
  }));
}"""


@pytest.fixture
def renewals(base_url: str):
    """How many sessions the web UI has renewed since it started."""

    def count() -> int:
        found = RENEWED.search(httpx.get(f"{base_url}/metrics", timeout=60).raise_for_status().text)
        return int(found.group(1)) if found else 0

    return count


def open_about(context: BrowserContext) -> Page:
    """A signed-in page that asks nothing by itself."""
    page = context.new_page()
    page.goto("/about")
    expect(page.get_by_role("heading", level=1, name="About")).to_be_visible()
    return page


@pytest.mark.parametrize("tabs", [1, 2])
def test_ten_requests_after_the_end_of_a_token_renew_it_once(tabs, signed_in, new_account, renewals):
    context = signed_in(new_account("viewer")).context
    pages = [open_about(context) for _ in range(tabs)]
    for _ in range(2):  # again: what was renewed can be renewed
        before = renewals()
        # The browser forgets the cookie when the token ends.
        context.clear_cookies(name=ACCESS)
        for page in pages:
            page.evaluate(TEN_REQUESTS)
        for page in pages:
            assert page.evaluate("window.answers") == [200] * 10
        assert renewals() == before + 1
        assert [cookie["name"] for cookie in context.cookies() if cookie["name"] == ACCESS] == [ACCESS]
    pages[-1].reload()
    expect(pages[-1].get_by_role("heading", level=1, name="About")).to_be_visible()


def test_a_session_that_ended_elsewhere_is_asked_for_over_the_page(signed_in, new_account, base_url, watch):
    watch.expect("401 GET /api/v1/")
    account = new_account("viewer")
    page = signed_in(account)
    tabs = [page, page.context.new_page()]
    for tab in tabs:
        tab.goto("/profile?tab=sessions")
        expect(tab.get_by_role("table", name="Sessions")).to_be_visible()
    Api.log_in(base_url, **account.login).http.post("/auth/logout-all").raise_for_status()
    for tab in tabs:
        tab.get_by_role("tab", name="API keys").click()
        expect(tab.get_by_role("dialog", name="Your session has ended")).to_be_visible()
    sign_in(page, **account.login)
    for tab in tabs:
        expect(tab.get_by_role("dialog")).to_have_count(0)
        expect(tab.get_by_role("tab", name="API keys")).to_have_attribute("aria-selected", "true")
        expect(tab.get_by_text("No API keys yet")).to_be_visible()
