"""axe finds nothing on any page, tab, dialog, menu or message, at two widths and in every theme."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from accessibility import violations
from browsing import CSRF, PASSWORD, open_palette, toast
from pages import views
from playwright.sync_api import Page, expect

from support import Api, new_prefix

pytestmark = pytest.mark.functional
# Names of this run alone: one that was killed may have left its own.
RUN = secrets.token_hex(4)
RULE, HOOK, KEY = new_prefix(), f"https://example.com/{RUN}", f"axe {RUN}"


@pytest.fixture(scope="module")
def furnished(admin: Api, pages) -> Iterator[None]:
    """An item in every table that has none by itself."""
    rule = {"prefix": RULE, "action": "deny", "count_only": True, "comment": "axe", "ttl_seconds": 3600}
    rule = admin.http.post("/guard/rules", json=rule).raise_for_status().json()
    hook = {"url": HOOK, "events": ["axe.*"], "enabled": False}
    hook = admin.http.post("/webhooks", json=hook).raise_for_status().json()
    admin.http.post("/jobs", json={"kind": "users.export", "arguments": {}}).raise_for_status()
    key = {"name": KEY, "role": "viewer", "expires_in_days": 1}
    assert pages["admin"].request.post("/api/v1/api-keys", data=key, headers=CSRF).ok
    yield
    admin.http.delete(f"/guard/rules/{rule['id']}").raise_for_status()
    admin.http.delete(f"/webhooks/{hook['id']}").raise_for_status()


@pytest.mark.parametrize("view", views(), ids=lambda view: view.address)
def test_a_page_has_no_violation(view, pages, accounts, furnished):
    view.open(pages["admin"], accounts["maintainer"].id)
    assert not violations(pages["admin"])


@pytest.mark.parametrize("address", ["/users", "/no/such/page", "/guard", "/guard?tab=policy"])
def test_what_a_viewer_sees_has_no_violation(address, pages):
    pages["viewer"].goto(address)
    expect(pages["viewer"].get_by_role("heading", level=1)).to_be_visible()
    assert not violations(pages["viewer"])


@dataclass(frozen=True)
class Overlay:
    """Something that opens over a page.

    Attributes:
        open: what a person does on the page at `address`.
        seen: selector of what is then open.
    """

    name: str
    address: str
    open: Callable[[Page], object]
    seen: str = "[role=dialog]"


def press(name: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_role("button", name=name, exact=True).first.click()


def in_row(row: str, button: str) -> Callable[[Page], None]:
    """Press a button in the row of a table."""
    return lambda page: page.get_by_role("row").filter(has_text=row).get_by_role("button", name=button).first.click()


USER = "e2e-maintainer"
OVERLAYS = (
    Overlay("user menu", "/", lambda page: page.get_by_role("button", name="User menu of").click(), "[role=menu]"),
    Overlay("command palette", "/", open_palette),
    Overlay("rail", "/", press("Collapse sidebar"), "button[aria-label='Expand sidebar']"),
    Overlay("new user", "/users", press("New user")),
    Overlay("edit user", f"/users?search={USER}", in_row(USER, "Edit")),
    Overlay("delete user", f"/users?search={USER}", in_row(USER, "Delete")),
    Overlay("reset password", "/users/{user}", press("Reset password")),
    Overlay("disable user", "/users/{user}", press("Disable")),
    Overlay("new rule", "/guard", press("New rule")),
    Overlay("edit rule", f"/guard?search={RULE}", in_row(RULE, "Edit")),
    Overlay("delete rule", f"/guard?search={RULE}", in_row(RULE, "Delete")),
    Overlay("new webhook", "/integrations", press("New webhook")),
    Overlay("edit webhook", "/integrations", in_row(HOOK, "Edit")),
    Overlay("replace secret", "/integrations", in_row(HOOK, "Replace")),
    Overlay("delete webhook", "/integrations", in_row(HOOK, "Delete")),
    Overlay("start a job", "/jobs", press("Start a job")),
    Overlay("audit details", "/audit", press("Details"), "td dl"),
    Overlay("new API key", "/profile?tab=api-keys", press("New API key")),
    Overlay("revoke API key", "/profile?tab=api-keys", in_row(KEY, "Revoke")),
    Overlay("turn on the second factor", "/profile?tab=security", press("Turn on")),
    Overlay("sign out everywhere", "/profile?tab=sessions", press("Sign out everywhere")),
)


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda overlay: overlay.name)
def test_an_overlay_has_no_violation(overlay, pages, accounts, furnished):
    page = pages["admin"]
    page.goto(overlay.address.format(user=accounts["maintainer"].id))
    overlay.open(page)
    expect(page.locator(overlay.seen).first).to_be_visible()
    expect(page.locator("[role=dialog] .animate-pulse")).to_have_count(0)
    assert not violations(page)


def test_the_drawer_has_no_violation(pages):
    page = pages["admin"]
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto("/")
    page.get_by_role("button", name="Open navigation").click()
    expect(page.get_by_role("dialog", name="Navigation")).to_be_visible()
    assert not violations(page, widths=(390,))


def test_messages_have_no_violation(pages, admin: Api, watch):
    """A refusal in a form, and a toast."""
    watch.expect("422 POST /api/v1/users")
    page = pages["admin"]
    page.goto("/users")
    page.get_by_role("button", name="New user").click()
    dialog = page.get_by_role("dialog")
    email = f"e2e-axe-{RUN}@example.com"
    dialog.get_by_label("Email").fill(email)
    dialog.get_by_label("Full name").fill("Axe")
    dialog.get_by_label("Password").fill("short")
    dialog.get_by_role("button", name="Create user").click()
    expect(dialog.locator("[aria-invalid=true]")).to_have_count(1)
    assert not violations(page)
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Create user").click()
    expect(toast(page, f"{email} is created.")).to_be_visible()
    assert not violations(page)
    for user in admin.users(email):
        admin.delete_user(user)


def test_a_secret_that_is_shown_once_has_no_violation(new_account, signed_in):
    """The QR code and key of a second factor."""
    page = signed_in(new_account("viewer"))
    page.goto("/profile?tab=security")
    page.get_by_role("button", name="Turn on").click()
    page.get_by_role("dialog").get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("dialog").get_by_role("button", name="Continue").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    assert not violations(page)


@dataclass(frozen=True)
class Secret:
    """A form whose answer is shown once."""

    address: str
    opener: str
    fill: dict[str, str]
    submit: str


SECRETS = (
    Secret("/integrations", "New webhook", {"Address": f"{HOOK}/secret"}, "Create webhook"),
    Secret("/profile?tab=api-keys", "New API key", {"Name": f"{KEY} secret"}, "Create key"),
    Secret("/users/{user}", "Reset password", {}, "Reset password"),
)


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.opener)
def test_a_secret_in_its_dialog_has_no_violation(secret, pages, new_account, admin: Api):
    page = pages["admin"]
    page.goto(secret.address.format(user=new_account("viewer").id))
    press(secret.opener)(page)
    dialog = page.get_by_role("dialog")
    for label, text in secret.fill.items():
        dialog.get_by_label(label).fill(text)
    dialog.get_by_role("button", name=secret.submit).click()
    expect(dialog.locator("code")).to_be_visible()
    assert not violations(page)
    dialog.get_by_role("button", name="Done").click()
    for hook in admin.http.get("/webhooks").json()["webhooks"]:
        if hook["url"] == secret.fill.get("Address"):
            admin.http.delete(f"/webhooks/{hook['id']}").raise_for_status()


@pytest.mark.parametrize(
    ("opener", "submit"), [("Edit", "Save changes"), ("Delete", "Delete user")], ids=["edit", "delete"]
)
def test_a_conflict_has_no_violation(opener, submit, pages, new_account, admin: Api, watch):
    watch.expect("412 ")
    page, account = pages["admin"], new_account("viewer")
    page.goto(f"/users/{account.id}")
    press(opener)(page)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name=submit)).to_be_enabled()
    if opener == "Edit":
        dialog.get_by_label("Full name").fill("Mine")
    admin.http.patch(f"/users/{account.id}", json={"role": "maintainer"}).raise_for_status()
    dialog.get_by_role("button", name=submit).click()
    expect(dialog.get_by_role("alert")).to_contain_text("Role: viewer → maintainer")
    assert not violations(page)


def test_the_pages_before_the_login_have_no_violation(open_page, watch):
    watch.expect("401 POST /bff/login")
    page = open_page()
    page.goto("/login?ended=true")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert not violations(page)
    page.get_by_label("Email").fill("nobody@example.com")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert not violations(page)


def test_the_forced_change_of_a_password_has_no_violation(new_account, signed_in):
    page = signed_in(new_account("viewer", must_change_password=True))
    page.goto("/")
    expect(page.get_by_role("heading", name="Choose a password of your own")).to_be_visible()
    assert not violations(page)
