"""A person signs in through a real browser, sees the platform's health and does what the role allows."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from support import ADMIN, Api

pytestmark = pytest.mark.functional
VIEWER = {"email": "e2e-viewer@example.com", "password": "correct horse battery"}
COMPONENTS = ("webui", "flask-backend", "database", "redis", "go-backend")


@pytest.fixture
def no_viewer(admin: Api):
    """The viewer does not exist before or after the test."""

    def remove() -> None:
        for user in admin.http.get("/users", params={"search": VIEWER["email"]}).json()["users"]:
            admin.delete_user(user)

    remove()
    yield
    remove()


def expect_dashboard(page: Page) -> None:
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def test_the_admin_sees_every_component_healthy(sign_in):
    page = sign_in(**ADMIN)
    expect_dashboard(page)
    cards = page.get_by_role("list", name="Components").get_by_role("listitem")
    expect(cards).to_have_count(len(COMPONENTS))
    for name in COMPONENTS:
        expect(cards.filter(has=page.get_by_role("heading", name=name, exact=True))).to_contain_text("Healthy")


def test_the_dashboard_shows_the_xdp_mode_and_moving_counters(sign_in):
    page = sign_in(**ADMIN)
    expect_dashboard(page)
    node = page.get_by_role("region", name="Node ")
    expect(node.get_by_text(re.compile("XDP (native|generic)"))).to_be_visible()
    packets = node.get_by_role("table", name="Traffic by protocol").get_by_role(
        "row", name=re.compile("tcp", re.IGNORECASE)
    )
    before = packets.inner_text()
    expect(packets).not_to_have_text(before, timeout=30_000)


def test_the_admin_creates_a_viewer_who_sees_no_users_page(sign_in, no_viewer):
    page = sign_in(**ADMIN)
    page.get_by_role("link", name="Users").click()
    page.get_by_role("button", name="New user").click()
    dialog = page.get_by_role("dialog", name="New user")
    dialog.get_by_label("Email").fill(VIEWER["email"])
    dialog.get_by_label("Full name").fill("End To End")
    dialog.get_by_label("Role").select_option("viewer")
    dialog.get_by_label("Password").fill(VIEWER["password"])
    dialog.get_by_role("button", name="Create user").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("row", name=VIEWER["email"])).to_contain_text("viewer")

    viewer = sign_in(**VIEWER)
    expect_dashboard(viewer)
    expect(viewer.get_by_role("link", name="Users")).to_have_count(0)
    assert viewer.request.get("/api/v1/users").status == 403
    viewer.goto("/users")
    expect(viewer.get_by_text("You may not see this page")).to_be_visible()


def test_an_admin_edits_and_deletes_a_user(sign_in, admin: Api, no_viewer):
    admin.create_user(VIEWER["email"], "viewer", VIEWER["password"])
    page = sign_in(**ADMIN)
    expect_dashboard(page)
    page.goto(f"/users?search={VIEWER['email']}")
    page.get_by_role("button", name=f"Edit {VIEWER['email']}").click()
    page.get_by_role("dialog").get_by_label("Role").select_option("maintainer")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("row", name=VIEWER["email"])).to_contain_text("maintainer")
    page.get_by_role("button", name=f"Delete {VIEWER['email']}").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete user").click()
    expect(page.get_by_role("row", name=VIEWER["email"])).to_have_count(0)


def test_a_wrong_password_is_explained_and_the_form_kept(sign_in):
    page = sign_in(ADMIN["email"], "not the password")
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    expect(page.get_by_label("Email")).to_have_value(ADMIN["email"])


def test_javascript_sees_no_token(sign_in):
    page = sign_in(**ADMIN)
    expect_dashboard(page)
    assert page.evaluate("document.cookie") == ""
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "eyJ" not in stored
    cookies = page.context.cookies()
    assert cookies and all(cookie["httpOnly"] and cookie["sameSite"] in ("Strict", "Lax") for cookie in cookies)


def test_the_sidebar_stays_collapsed_after_a_reload(sign_in):
    page = sign_in(**ADMIN)
    expect_dashboard(page)
    page.get_by_role("button", name="Collapse sidebar").click()
    page.reload()
    expect(page.get_by_role("button", name="Expand sidebar")).to_be_visible()


def test_signing_out_ends_the_session(sign_in, open_page):
    page = sign_in(**ADMIN)
    expect_dashboard(page)
    page.get_by_role("button", name="User menu of").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert page.request.get("/bff/session").status == 401
