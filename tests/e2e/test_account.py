"""One's own account: second factor, password, sessions and API keys."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import httpx
import pyotp
import pytest
from browsing import PASSWORD, sign_in
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.functional


def enrol(page: Page) -> tuple[str, list[str]]:
    """Turn the second factor on; the secret that an app would keep, and the recovery codes."""
    page.goto("/profile?tab=security")
    page.get_by_role("button", name="Turn on").click()
    dialog = page.get_by_role("dialog", name="Turn on the second factor")
    dialog.get_by_label("Current password").fill(PASSWORD)
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog.get_by_role("img", name="QR code")).to_be_visible()
    secret = dialog.locator("code").inner_text()
    dialog.get_by_label("Code of the app").fill(pyotp.TOTP(secret).now())
    dialog.get_by_role("button", name="Confirm").click()
    expect(dialog).to_contain_text("recovery codes")
    codes = dialog.locator("code").inner_text().split()
    dialog.get_by_role("button", name="Done").click()
    expect(page.get_by_role("region", name="Second factor")).to_contain_text(f"Recovery codes left: {len(codes)}")
    return secret, codes


def test_a_second_factor_is_asked_for_and_turned_off(signed_in, open_page, new_account, watch):
    watch.expect("401 POST /bff/login/second-factor")
    account = new_account("viewer")
    page, other = signed_in(account), open_page()
    secret, codes = enrol(page)
    other.goto("/profile")
    sign_in(other, **account.login)
    code = other.get_by_label("Code of your authenticator")
    code.fill("000000")
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("alert")).to_contain_text("The code is wrong")
    # The present code was spent when the factor was turned on.
    code.fill(pyotp.TOTP(secret).at(datetime.now(UTC), counter_offset=1))
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("heading", level=1, name="Profile")).to_be_visible()

    page.get_by_role("button", name="Turn off").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Current password").fill(PASSWORD)
    dialog.get_by_label("Code of your authenticator").fill(codes[0])
    dialog.get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("button", name="Turn on")).to_be_visible()


def test_an_admin_turns_a_lost_factor_off(signed_in, open_page, new_account):
    account = new_account("viewer")
    enrol(signed_in(account))
    page = open_page("admin")
    page.goto(f"/users/{account.id}")
    page.get_by_role("button", name="Turn off the second factor").click()
    page.get_by_role("dialog").get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    other = open_page()
    other.goto("/profile")
    sign_in(other, **account.login)
    expect(other.get_by_role("heading", level=1, name="Profile")).to_be_visible()


def test_a_new_password_ends_every_session(signed_in, new_account, watch):
    watch.expect("403 POST /api/v1/auth/password", "401 GET /")
    account = new_account("viewer")
    page, elsewhere = signed_in(account), signed_in(account)
    elsewhere.goto("/about")
    page.goto("/profile?tab=security")
    page.get_by_label("Current password").fill("not the password")
    page.get_by_label("New password", exact=True).fill("another horse battery")
    page.get_by_label("New password, again").fill("another horse battery")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("New password", exact=True)).to_have_value("another horse battery")
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    elsewhere.goto("/profile")
    expect(elsewhere.get_by_role("button", name="Sign in")).to_be_visible()
    sign_in(page, account.email, "another horse battery")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


def test_one_session_ends_another(signed_in, open_page, new_account, watch):
    watch.expect("401 GET /")
    account, elsewhere = new_account("viewer"), open_page(user_agent="The other browser")
    elsewhere.goto("/about")
    sign_in(elsewhere, **account.login)
    expect(elsewhere.get_by_role("heading", level=1, name="About")).to_be_visible()
    page = signed_in(account)
    page.goto("/profile?tab=sessions")
    table = page.get_by_role("table", name="Sessions")
    expect(table.get_by_role("row").filter(has_text="this session").get_by_role("button")).to_have_count(0)
    table.get_by_role("row").filter(has_text="The other browser").get_by_role("button", name="End the session").click()
    expect(table.get_by_role("row").filter(has_text="The other browser")).to_have_count(0)
    elsewhere.goto("/profile")
    expect(elsewhere.get_by_role("button", name="Sign in")).to_be_visible()


def test_an_api_key_works_until_it_is_revoked(open_page, base_url):
    name, page = f"e2e {secrets.token_hex(4)}", open_page("maintainer")
    page.goto("/profile?tab=api-keys")
    page.get_by_role("button", name="New API key").click()
    dialog = page.get_by_role("dialog", name="New API key")
    expect(dialog.get_by_label("Role").locator("option")).to_have_text(["maintainer", "viewer"])
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Days until it expires").fill("1")
    dialog.get_by_role("button", name="Create key").click()
    key = dialog.locator("code").inner_text()
    dialog.get_by_role("button", name="Done").click()
    expect(page.locator("body")).not_to_contain_text(key)

    def status() -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.get(f"{base_url}/api/v1/status", headers=headers, timeout=60).status_code

    assert status() == 200
    row = page.get_by_role("row").filter(has_text=name)
    row.get_by_role("button", name="Revoke the key").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke API key").click()
    expect(page.get_by_role("dialog")).to_be_hidden()  # until then the page behind it has no rows at all
    expect(row).to_have_count(0)
    assert status() == 401
