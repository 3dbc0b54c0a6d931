"""What surrounds every page: sidebar, drawer, palette, theme, language, time zone."""

from __future__ import annotations

import re

import pytest
from browsing import choose, open_palette
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.functional
LIGHT_PAGE = "rgb(241, 245, 249)"
DARK_PAGE = "rgb(15, 23, 42)"


def expect_background(page: Page, colour: str) -> None:
    expect(page.locator("html")).to_have_css("background-color", colour)


def test_the_sidebar_becomes_a_rail_and_stays_one(open_page):
    page = open_page("viewer")
    page.goto("/")
    sidebar = page.get_by_role("complementary", name="Sidebar")
    page.get_by_role("button", name="Collapse sidebar").click()
    expect(sidebar).to_have_css("width", "64px")
    page.reload()
    expect(page.get_by_role("button", name="Expand sidebar")).to_have_attribute("aria-expanded", "false")
    link = sidebar.get_by_role("link", name="Profile")
    expect(link).to_have_attribute("title", "Profile")
    link.click()
    expect(page.get_by_role("heading", level=1, name="Profile")).to_be_visible()
    page.get_by_role("button", name="Expand sidebar").click()
    expect(sidebar).to_have_css("width", "240px")


def test_a_category_folds_and_stays_folded(open_page):
    page = open_page("viewer")
    page.goto("/")
    category = page.get_by_role("group", name="Account")
    category.get_by_role("button", name="Account").click()
    expect(category.get_by_role("link")).to_have_count(0)
    page.reload()
    expect(category.get_by_role("button", name="Account")).to_have_attribute("aria-expanded", "false")
    expect(category.get_by_role("link")).to_have_count(0)


def test_the_drawer_of_narrow_screens_opens_and_closes(open_page):
    page = open_page("viewer", width=1023)
    page.goto("/")
    expect(page.get_by_role("complementary", name="Sidebar")).to_have_count(0)
    opener, drawer = page.get_by_role("button", name="Open navigation"), page.get_by_role("dialog", name="Navigation")
    opener.click()
    expect(drawer).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(opener).to_be_focused()
    opener.click()
    expect(drawer).to_be_visible()
    page.mouse.click(1000, 450)  # the overlay
    expect(drawer).to_be_hidden()
    opener.click()
    drawer.get_by_role("link", name="Roles").click()
    expect(page.get_by_role("heading", level=1, name="Roles")).to_be_visible()
    expect(drawer).to_be_hidden()


@pytest.mark.parametrize("width", [390, 768, 1024, 1440])
def test_no_page_is_wider_than_the_screen(width, open_page):
    page = open_page("admin", width=width)
    for path in ("/", "/users", "/audit", "/guard", "/integrations", "/roles", "/profile?tab=sessions"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("main").locator("[aria-busy=true]")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_the_palette_goes_to_pages_and_runs_commands(open_page):
    page = open_page("viewer")
    page.goto("/")
    expect(page.get_by_role("heading", level=1, name="Dashboard")).to_be_visible()
    choose(page, "inges", "Ingest")
    expect(page.get_by_role("heading", level=1, name="Ingest")).to_be_visible()
    choose(page, "light", "Light theme")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    palette = open_palette(page)
    page.keyboard.type("nothing is called so")
    expect(palette).to_contain_text("Nothing matches.")
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()


def test_a_theme_is_kept(open_page):
    page = open_page("viewer")
    page.goto("/profile?tab=appearance")
    expect(page.get_by_role("radio", name="Dark")).to_be_checked()
    expect_background(page, DARK_PAGE)
    page.get_by_role("radio", name="Light").check()
    expect_background(page, LIGHT_PAGE)
    page.reload()
    expect(page.get_by_role("radio", name="Light")).to_be_checked()
    expect_background(page, LIGHT_PAGE)


def test_a_system_that_asks_for_contrast_gets_it(open_page):
    page = open_page("viewer", contrast="more")
    page.goto("/about")
    expect(page.locator("html")).to_have_attribute("data-theme", "contrast")


def test_a_language_is_kept(open_page):
    page = open_page("viewer")
    page.goto("/profile?tab=appearance")
    page.get_by_role("radio", name="Deutsch").click()  # checked when its texts are loaded
    expect(page.get_by_role("heading", level=1, name="Profil", exact=True)).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("heading", level=1, name="Übersicht")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "de")


def test_the_language_and_time_zone_are_the_readers(open_page):
    page = open_page("viewer", locale="de-DE", timezone_id="Asia/Tokyo")
    page.goto("/profile?tab=appearance")
    expect(page.get_by_role("heading", level=1, name="Profil", exact=True)).to_be_visible()
    expect(page.get_by_text("Asia/Tokyo")).to_be_visible()


def test_arrow_keys_move_between_tabs_and_the_address_follows(open_page):
    page = open_page("viewer")
    page.goto("/profile")
    page.get_by_role("tab", name="Account").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Security")).to_be_focused()
    expect(page).to_have_url(re.compile(r"/profile\?tab=security$"))
    page.keyboard.press("End")
    expect(page.get_by_role("tab", name="Appearance")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Account")).to_be_focused()
    expect(page).to_have_url(re.compile(r"/profile$"))
