"""Every page for every role: it opens and shows its content, or says that one may not see it; nothing else is offered."""

from __future__ import annotations

import re

import pytest
from browsing import open_palette
from pages import ADMINS, PAGES, ROLES, WRITERS, views
from playwright.sync_api import expect

pytestmark = pytest.mark.functional


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("view", views(), ids=lambda view: view.address)
def test_a_page_shows_its_content_or_that_one_may_not_see_it(view, role, pages, accounts):
    page = pages[role]
    if role in view.page.roles:
        if role in view.roles:
            view.open(page, accounts["maintainer"].id)
        else:
            page.goto(view.address)
            expect(page.get_by_role("tab").first).to_have_attribute("aria-selected", "true")
        labels = [tab.label for tab in view.page.tabs if role in tab.roles]
        expect(page.get_by_role("tab")).to_have_text(labels)
    else:
        page.goto(view.address.format(user=accounts["maintainer"].id))
        expect(page.get_by_role("heading", level=1, name="You may not see this page")).to_be_visible()
        expect(page.get_by_role("main").get_by_role("table")).to_have_count(0)


def links_for(role: str) -> list[str]:
    return [page.link for page in PAGES if page.link and role in page.roles]


@pytest.mark.parametrize("role", ROLES)
def test_the_navigation_and_the_palette_offer_just_what_the_role_may_see(role, pages):
    page = pages[role]
    page.goto("/about")
    links = page.get_by_role("navigation", name="Main").get_by_role("link")
    expect(links).to_have_count(len(links_for(role)))
    for link in links_for(role):
        expect(links.get_by_text(link, exact=True)).to_have_count(1)
    options = open_palette(page).get_by_role("option")
    expect(options.filter(has_text="Sign out")).to_be_visible()
    for link in (page.link for page in PAGES if page.link):
        option = options.filter(has_text=re.compile(f"^{link}$"))
        expect(option).to_have_count(1 if link in links_for(role) else 0)
    page.keyboard.press("Escape")


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_of_the_navigation_leads_to_its_page(role, pages):
    page = pages[role]
    page.goto("/")
    for target in (target for target in PAGES if target.link and role in target.roles):
        page.get_by_role("navigation", name="Main").get_by_role("link", name=target.link, exact=True).click()
        expect(page.get_by_role("heading", level=1, name=target.heading)).to_be_visible()
        expect(page.get_by_role("navigation", name="Main").locator("[aria-current=page]")).to_have_text(target.link)


# Buttons that change something, and who may press them; every kind of job that a person starts is the admins'.
CHANGES = (
    ("/guard", "New rule", WRITERS),
    ("/jobs", "Start a job", ADMINS),
)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("path", "button", "roles"), CHANGES, ids=[button for _, button, _ in CHANGES])
def test_changes_are_offered_to_those_who_may_make_them(path, button, roles, role, pages):
    page = pages[role]
    page.goto(path)
    target = next(target for target in PAGES if target.path == path)
    expect(page.get_by_role("heading", level=1, name=target.heading)).to_be_visible()
    expect(page.get_by_role("main").locator("table, h2").first).to_be_visible()
    expect(page.get_by_role("button", name=button)).to_have_count(1 if role in roles else 0)


@pytest.mark.parametrize("role", ROLES)
def test_an_address_without_a_page_says_so(role, pages):
    page = pages[role]
    page.goto("/no/such/page")
    expect(page.get_by_role("heading", level=1, name="Page not found")).to_be_visible()
    page.get_by_role("link", name="Go to the dashboard").click()
    expect(page.get_by_role("heading", level=1, name="Dashboard")).to_be_visible()


def test_a_user_without_a_page_says_so(pages, watch):
    watch.expect("404 GET /api/v1/users/2000000000")
    page = pages["admin"]
    page.goto("/users/2000000000")
    expect(page.get_by_role("alert")).to_be_visible()
