"""An admin creates, edits, disables, resets and deletes users; two admins at once do not undo each other."""

from __future__ import annotations

import re
import secrets

import pytest
from browsing import PASSWORD, sign_in, toast
from playwright.sync_api import Locator, Page, Route, expect

from support import Api

pytestmark = pytest.mark.functional
PER_PAGE = 20


@pytest.fixture
def email(admin: Api):
    """Of a user who does not exist; deleted afterwards."""
    address = f"e2e-new-{secrets.token_hex(4)}@example.com"
    yield address
    for user in admin.users(address):
        admin.delete_user(user)


def row(page: Page, email: str) -> Locator:
    return page.get_by_role("row").filter(has_text=email)


def test_a_user_is_created_edited_and_deleted(open_page, email):
    page = open_page("admin")
    page.goto("/users")
    page.get_by_role("button", name="New user").click()
    dialog = page.get_by_role("dialog", name="New user")
    dialog.get_by_label("Email").fill(email)
    dialog.get_by_label("Full name").fill("End To End")
    dialog.get_by_label("Role").select_option("viewer")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Create user").click()
    expect(dialog).to_be_hidden()
    expect(toast(page, f"{email} is created.")).to_be_visible()
    page.get_by_role("searchbox", name="Search users").fill(email)
    expect(row(page, email)).to_contain_text("viewer")
    expect(page).to_have_url(re.compile(f"search={email.replace('@', '%40')}"))

    page.get_by_role("button", name=f"Edit {email}").click()
    page.get_by_role("dialog").get_by_label("Role").select_option("maintainer")
    page.get_by_role("button", name="Save changes").click()
    expect(row(page, email)).to_contain_text("maintainer")

    page.get_by_role("button", name=f"Delete {email}").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete user").click()
    expect(page.get_by_text("No user matches")).to_be_visible()


def test_what_is_wrong_stands_at_its_field_and_the_form_is_kept(open_page, accounts, email, watch):
    watch.expect("422 POST /api/v1/users", "409 POST /api/v1/users")
    page = open_page("admin")
    page.goto("/users")
    page.get_by_role("button", name="New user").click()
    dialog = page.get_by_role("dialog", name="New user")
    dialog.get_by_label("Email").fill(accounts["viewer"].email)
    dialog.get_by_label("Full name").fill("Twice")
    dialog.get_by_label("Password").fill("short")
    dialog.get_by_role("button", name="Create user").click()
    expect(dialog.get_by_label("Password")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_label("Full name")).to_have_value("Twice")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Create user").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Another user has this")
    expect(dialog.get_by_label("Email")).to_have_value(accounts["viewer"].email)


def test_a_disabled_user_is_out_at_once_and_back_when_enabled(open_page, signed_in, new_account, watch):
    watch.expect("401 GET /bff/session", "401 POST /bff/login")
    account = new_account("viewer")
    theirs, page = signed_in(account), open_page("admin")
    theirs.goto("/about")
    page.goto(f"/users/{account.id}")
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable user").click()
    expect(page.get_by_role("main")).to_contain_text("Disabled")
    theirs.goto("/profile")
    sign_in(theirs, **account.login)
    expect(theirs.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_role("button", name="Enable").click()
    page.get_by_role("dialog").get_by_role("button", name="Enable user").click()
    expect(page.get_by_role("main")).to_contain_text("Active")
    sign_in(theirs, **account.login)
    expect(theirs.get_by_role("heading", level=1, name="Profile")).to_be_visible()


def test_a_reset_password_is_told_once_and_must_be_changed(open_page, new_account):
    account = new_account("viewer")
    page, theirs = open_page("admin"), open_page()
    page.goto(f"/users/{account.id}")
    page.get_by_role("button", name="Reset password").click()
    dialog = page.get_by_role("dialog", name="Reset password")
    dialog.get_by_role("button", name="Reset password").click()
    temporary = dialog.locator("code").inner_text()
    dialog.get_by_role("button", name="Done").click()
    expect(page.locator("body")).not_to_contain_text(temporary)
    theirs.goto("/")
    sign_in(theirs, account.email, temporary)
    expect(theirs.get_by_role("heading", name="Choose a password of your own")).to_be_visible()


def edit(page: Page, account) -> Locator:
    """Open the dialog in which the user of a page is edited, and wait until it knows the user."""
    page.goto(f"/users/{account.id}")
    page.get_by_role("button", name="Edit", exact=True).click()
    dialog = page.get_by_role("dialog", name="Edit user")
    expect(dialog.get_by_label("Email")).to_have_value(account.email)
    return dialog


def test_two_tabs_that_edit_one_user_do_not_undo_each_other(open_context, sessions, new_account, admin: Api, watch):
    watch.expect("412 PATCH /api/v1/users/")
    account, context = new_account("viewer"), open_context(storage_state=sessions["admin"])
    one, two = (edit(context.new_page(), account) for _ in range(2))
    one.get_by_label("Role").select_option("maintainer")
    two.get_by_label("Full name").fill("Changed in the second tab")
    one.get_by_role("button", name="Save changes").click()
    expect(one).to_be_hidden()
    two.get_by_role("button", name="Save changes").click()
    conflict = two.get_by_role("alert")
    expect(conflict).to_contain_text("Somebody else has changed this in the meantime.")
    expect(conflict).to_contain_text("Role: viewer → maintainer")
    expect(two.get_by_label("Full name")).to_have_value("Changed in the second tab")
    two.get_by_role("button", name="Save all the same").click()
    expect(two).to_be_hidden()
    user = admin.http.get(f"/users/{account.id}").json()
    assert (user["role"], user["full_name"]) == ("maintainer", "Changed in the second tab")


def test_a_user_changed_elsewhere_is_not_deleted_unseen(open_page, new_account, admin: Api, watch):
    watch.expect("412 DELETE /api/v1/users/")
    account, page = new_account("viewer"), open_page("admin")
    page.goto(f"/users?search={account.email}")
    page.get_by_role("button", name=f"Delete {account.email}").click()
    dialog = page.get_by_role("dialog", name="Delete user")
    expect(dialog.get_by_role("button", name="Delete user")).to_be_visible()
    admin.http.patch(f"/users/{account.id}", json={"role": "maintainer"}).raise_for_status()
    dialog.get_by_role("button", name="Delete user").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Role: viewer → maintainer")
    assert admin.http.get(f"/users/{account.id}").status_code == 200
    dialog.get_by_role("button", name="Delete all the same").click()
    expect(dialog).to_be_hidden()
    assert admin.http.get(f"/users/{account.id}").status_code == 404


def test_sorting_and_searching_are_in_the_address(open_page, accounts, admin: Api):
    page = open_page("admin")
    page.goto("/users?search=e2e-&sort=-email")
    header = page.get_by_role("columnheader", name="Email")
    expect(header).to_have_attribute("aria-sort", "descending")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(page).to_have_url(re.compile("sort=email"))
    emails = sorted(user["email"] for user in admin.users("e2e-"))
    expect(page.get_by_role("main").locator("tbody tr td:nth-child(2)")).to_have_text(emails[:PER_PAGE])


def test_a_lost_answer_and_a_second_press_make_one_user(open_page, email, admin: Api, watch):
    watch.expect("failed POST /api/v1/users", "net::ERR_FAILED")
    page = open_page("admin")
    page.goto("/users")

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/api/v1/users", lose_the_answer, times=1)
    page.get_by_role("button", name="New user").click()
    dialog = page.get_by_role("dialog", name="New user")
    dialog.get_by_label("Email").fill(email)
    dialog.get_by_label("Full name").fill("Only Once")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Create user").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The server cannot be reached")
    with page.expect_response("**/api/v1/users") as answer:
        dialog.get_by_role("button", name="Create user").click()
    assert answer.value.headers["idempotency-replayed"] == "true"
    expect(dialog).to_be_hidden()
    expect(toast(page, f"{email} is created.")).to_be_visible()
    [user] = admin.users(email)
    assert user["full_name"] == "Only Once"
