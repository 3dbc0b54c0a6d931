"""A person signs in through the form, sees the platform's health, and signs out."""

from __future__ import annotations

import re

import pytest
from browsing import sign_in
from playwright.sync_api import Locator, Page, expect

from support import ADMIN, Api, eventually

pytestmark = pytest.mark.functional
WAIT = re.compile(r"^Wait (\d+) s$")
PARTS = ("webui", "flask-backend", "database", "redis", "go-backend")


def seconds(button: Locator) -> int:
    """What the held-back button counts down."""
    return int(WAIT.match(button.text_content())[1])


def expect_dashboard(page: Page) -> None:
    expect(page.get_by_role("heading", level=1, name="Dashboard")).to_be_visible()


def test_the_admin_signs_in_and_sees_the_state_of_every_component(open_page, admin: Api):
    page = open_page()
    page.goto("/")
    sign_in(page, **ADMIN)
    expect_dashboard(page)
    cards = page.get_by_role("list", name="Components").get_by_role("listitem")
    expect(cards).to_have_count(len(PARTS))
    states = {"healthy": "Healthy", "not_installed": "Not installed"}

    def healthy() -> dict[str, str] | None:
        found = admin.components()  # a busy node may be late once
        return found if set(found.values()) <= states.keys() else None

    for name, state in ({"webui": "healthy"} | eventually(healthy, 60, "whatever is installed is healthy")).items():
        card = cards.filter(has=page.get_by_role("heading", name=name, exact=True))
        expect(card).to_contain_text(states[state])


def test_the_dashboard_shows_the_xdp_mode_and_moving_counters(open_page):
    page = open_page("viewer")
    page.goto("/")
    node = page.get_by_role("region", name="Node ")
    expect(node.get_by_text(re.compile("XDP (native|generic)"))).to_be_visible()
    row = node.get_by_role("table", name="Traffic by protocol").get_by_role(
        "row", name=re.compile("^tcp", re.IGNORECASE)
    )
    before = row.text_content()
    expect(row).not_to_have_text(before, timeout=60_000)


def test_a_wrong_password_is_explained_and_the_form_kept(open_page, accounts, watch):
    watch.expect("401 POST /bff/login")
    page = open_page()
    page.goto("/login")
    sign_in(page, accounts["viewer"].email, "not the password")
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    expect(page.get_by_label("Email")).to_have_value(accounts["viewer"].email)


def test_after_too_many_wrong_passwords_the_form_says_how_long_to_wait(open_page, new_account, watch):
    watch.expect("401 POST /bff/login", "429 POST /bff/login")
    account, page = new_account("viewer"), open_page()
    page.goto("/login")
    alert = page.get_by_role("alert")
    for attempt in range(11):
        sign_in(page, account.email, f"wrong password {attempt}")
        expect(alert).to_contain_text("wrong" if attempt < 10 else "Too many attempts")
        expect(page.get_by_label("Password")).to_have_value(f"wrong password {attempt}")
    button = page.get_by_role("button", name=WAIT)
    expect(button).to_be_disabled()
    expect(alert).to_contain_text(re.compile(r"Try again in \d+ seconds"))
    before = seconds(button)
    expect(button).not_to_have_text(f"Wait {before} s")
    assert seconds(button) < before


def test_login_leads_back_to_the_page_that_was_asked_for(open_page, accounts):
    page = open_page()
    page.goto("/profile?tab=sessions")
    expect(page).to_have_url(re.compile(r"/login\?next="))
    sign_in(page, **accounts["viewer"].login)
    expect(page.get_by_role("tab", name="Sessions")).to_have_attribute("aria-selected", "true")


def test_a_password_that_must_be_changed_opens_nothing_else(open_page, new_account):
    account, page = new_account("viewer", must_change_password=True), open_page()
    page.goto("/")
    sign_in(page, **account.login)
    heading = page.get_by_role("heading", level=1, name="Choose a password of your own")
    expect(heading).to_be_visible()
    page.goto("/profile")
    expect(heading).to_be_visible()
    page.get_by_label("Current password").fill(account.password)
    page.get_by_label("New password", exact=True).fill("another horse battery")
    page.get_by_label("New password, again").fill("another horse batter")
    expect(page.get_by_text("The two new passwords differ.")).to_be_visible()
    expect(page.get_by_role("button", name="Change the password")).to_be_disabled()
    page.get_by_label("New password, again").fill("another horse battery")
    page.get_by_role("button", name="Change the password").click()
    sign_in(page, account.email, "another horse battery")
    expect_dashboard(page)


def test_signing_out_ends_the_session(signed_in, new_account, watch):
    watch.expect("401 GET /bff/session")
    page = signed_in(new_account("viewer"))
    page.goto("/")
    cookies = page.context.cookies()
    page.get_by_role("button", name="User menu of").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert page.context.cookies() == []
    # Neither does a copy of the cookies open it again.
    page.context.add_cookies(cookies)
    page.goto("/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
