"""Without a mouse: from the login form to a new user and a rule of the guard."""

from __future__ import annotations

import secrets

import pytest
from browsing import PASSWORD, choose
from playwright.sync_api import Locator, Page, expect

from support import Api, new_prefix

pytestmark = pytest.mark.functional
MOST_TABS = 60
# An outline, or a border of gold.
SEEN = """element => {
  const { outlineStyle, borderColor } = getComputedStyle(element);
  return outlineStyle !== "none" || borderColor.includes("251, 191, 36");
}"""
FOCUSED = "element => element === document.activeElement"


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus, which must then be seen."""
    expect(target).to_be_visible()
    for _ in range(MOST_TABS):
        if target.evaluate(FOCUSED):
            break
        page.keyboard.press("Tab")
    expect(target).to_be_focused()
    page.wait_for_function(SEEN, arg=target.element_handle())


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    tab_to(page, target)
    page.keyboard.press(key)


def write(page: Page, target: Locator, text: str) -> None:
    tab_to(page, target)
    page.keyboard.type(text)


@pytest.fixture
def made(admin: Api):
    """Names of a user and a rule to make; both are gone afterwards."""
    email, prefix = f"e2e-keys-{secrets.token_hex(4)}@example.com", new_prefix()
    yield email, prefix
    for user in admin.users(email):
        admin.delete_user(user)
    for rule in admin.http.get("/guard/rules", params={"search": prefix}).json()["rules"]:
        admin.http.delete(f"/guard/rules/{rule['id']}").raise_for_status()


def test_from_login_to_a_new_user_and_a_rule(open_page, accounts, made, admin: Api):
    email, prefix = made
    page = open_page()
    page.goto("/")
    write(page, page.get_by_label("Email"), accounts["admin"].email)
    write(page, page.get_by_label("Password"), PASSWORD)
    page.keyboard.press("Enter")
    navigation = page.get_by_role("navigation", name="Main")
    press(page, navigation.get_by_role("link", name="Users"))
    press(page, page.get_by_role("button", name="New user"))
    dialog = page.get_by_role("dialog", name="New user")
    write(page, dialog.get_by_label("Email"), email)
    write(page, dialog.get_by_label("Full name"), "Keys Only")
    tab_to(page, dialog.get_by_label("Role"))
    page.keyboard.press("m")  # one letter: more of them must follow quickly, or the last one counts
    write(page, dialog.get_by_label("Password"), PASSWORD)
    press(page, dialog.get_by_role("button", name="Create user"), "Space")
    expect(dialog).to_be_hidden()
    [user] = admin.users(email)
    assert (user["full_name"], user["role"]) == ("Keys Only", "maintainer")
    expect(page.get_by_role("button", name="New user")).to_be_focused()

    choose(page, "network", "Network guard")
    press(page, page.get_by_role("button", name="New rule"))
    dialog = page.get_by_role("dialog", name="New rule")
    write(page, dialog.get_by_label("Prefix"), prefix)
    press(page, dialog.get_by_label("Count only"), "Space")
    press(page, dialog.get_by_role("button", name="Create rule"))
    expect(dialog).to_be_hidden()
    [rule] = admin.http.get("/guard/rules", params={"search": prefix}).json()["rules"]
    assert (rule["action"], rule["count_only"]) == ("deny", True)

    press(page, page.get_by_role("button", name="User menu of"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    expect(page.get_by_role("menuitem", name="Sign out")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_the_first_tab_skips_to_the_content(open_page):
    page = open_page("viewer")
    page.goto("/about")
    expect(page.get_by_role("heading", level=1, name="About")).to_be_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="OpenAPI document")).to_be_focused()


def test_a_dialog_keeps_the_focus_and_gives_it_back(open_page):
    page = open_page("admin")
    page.goto("/users")
    opener = page.get_by_role("button", name="New user")
    press(page, opener)
    dialog = page.get_by_role("dialog", name="New user")
    expect(dialog.get_by_label("Email")).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Tab")
        assert dialog.evaluate("element => element.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
