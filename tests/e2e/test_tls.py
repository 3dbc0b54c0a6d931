"""Over TLS, through a reverse proxy, at a host of its own and below a path of a shared one (decision 0017)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import ingress
import pytest
from browsing import chromium, sign_in
from playwright.sync_api import Browser, Page, expect

from support import Api, new_prefix

pytestmark = pytest.mark.functional


@dataclass(frozen=True)
class Site:
    """One way to serve the web UI.

    Attributes:
        prefix: of its cookies' names, which makes browsers see to their attributes.
    """

    host: str
    path: str
    prefix: str


SITES = (Site(ingress.ALONE, "", "__Host-"), Site(ingress.SHARED, ingress.PATH, "__Secure-"))


@pytest.fixture(scope="module")
def proxy(base_url: str, tmp_path_factory) -> Iterator[ingress.Ingress]:
    with ingress.running(base_url, tmp_path_factory.mktemp("ingress")) as running:
        yield running


@pytest.fixture(scope="module")
def tls_browser(playwright, proxy) -> Iterator[Browser]:
    with chromium(playwright, *proxy.flags) as browser:
        yield browser


@pytest.fixture(params=SITES, ids=lambda site: site.host + site.path)
def site(request) -> Site:
    return request.param


@pytest.fixture
def url(site, proxy) -> str:
    """Where the web UI begins, without a slash at the end."""
    return proxy.origin(site.host) + site.path


@pytest.fixture
def open_page(tls_browser, watch) -> Iterator[Callable[[], Page]]:
    """A page of a new profile, not signed in."""
    opened = []

    def make() -> Page:
        opened.append(tls_browser.new_context(reduced_motion="reduce"))
        watch.context(opened[-1])
        return opened[-1].new_page()

    yield make
    for context in opened:
        context.close()


@pytest.fixture
def page(open_page, url, accounts) -> Page:
    """A page that the shared maintainer has signed in at."""
    page = open_page()
    page.goto(f"{url}/about")
    sign_in(page, **accounts["maintainer"].login)
    expect(page.get_by_role("heading", level=1, name="About")).to_be_visible()
    return page


def test_the_session_is_in_cookies_that_only_tls_this_host_and_this_path_get(page, site):
    cookies = page.context.cookies()
    assert {cookie["name"] for cookie in cookies} == {f"{site.prefix}triptych_{kind}" for kind in ("access", "refresh")}
    for cookie in cookies:
        assert cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Strict"
        assert (cookie["domain"], cookie["path"]) == (site.host, site.path or "/")
    page.reload()
    expect(page.get_by_role("heading", level=1, name="About")).to_be_visible()


def test_an_application_beside_it_gets_no_cookie(page, site, proxy):
    for host in {ingress.SHARED, ingress.STRANGER} - ({site.host} if not site.path else set()):
        page.goto(f"{proxy.origin(host)}/")
        expect(page.locator("p")).to_have_text("Cookies: .")


def test_deep_links_assets_and_requests_stay_below_the_path(open_page, url, accounts):
    page, seen = open_page(), []
    page.on("request", lambda request: seen.append(request.url))
    page.goto(f"{url}/guard?tab=events")
    expect(page).to_have_url(re.compile(re.escape(f"{url}/login?next=")))
    sign_in(page, **accounts["maintainer"].login)
    expect(page).to_have_url(f"{url}/guard?tab=events")
    for name in ("Ingest", "Roles"):  # each loads a part of the program
        page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
        expect(page).to_have_url(re.compile(re.escape(f"{url}/{name.lower()}")))
    page.goto(f"{url}/no/such/page")
    expect(page.get_by_role("heading", level=1, name="Page not found")).to_be_visible()
    for kind in ("/assets/", "/api/v1/", "/bff/"):
        assert [address for address in seen if kind in address]
    assert [address for address in seen if not address.startswith((f"{url}/", "data:"))] == []


def test_a_change_is_taken_and_told_to_an_open_stream(page, url, admin: Api):
    prefix = new_prefix()
    watcher = page.context.new_page()
    watcher.goto(f"{url}/guard?tab=events")
    events = watcher.get_by_role("region", name="Events")
    expect(events.get_by_role("status")).to_have_text("Live")
    page.goto(f"{url}/guard")
    page.get_by_role("button", name="New rule").click()
    dialog = page.get_by_role("dialog", name="New rule")
    dialog.get_by_label("Prefix").fill(prefix)
    dialog.get_by_label("Count only").check()
    dialog.get_by_role("button", name="Create rule").click()
    expect(dialog).to_be_hidden()
    expect(events.get_by_role("listitem").filter(has_text=prefix).first).to_be_visible()
    for rule in admin.http.get("/guard/rules", params={"search": prefix}).json()["rules"]:
        admin.http.delete(f"/guard/rules/{rule['id']}").raise_for_status()


def test_signing_out_ends_the_session(page, url, watch):
    watch.expect("401 GET")
    cookies = page.context.cookies()
    page.get_by_role("button", name="User menu of").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page).to_have_url(re.compile(re.escape(f"{url}/login")))
    assert page.context.cookies() == []
    page.context.add_cookies(cookies)  # a copy does not open it again
    page.goto(f"{url}/about")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


# Of the same site, so that the browser sends the cookies along.
SUBMIT = """url => {
  const form = Object.assign(document.createElement("form"), { method: "POST", action: url });
  document.body.append(form);
  form.submit();
}"""


def test_a_page_of_a_sibling_host_changes_nothing(page, url, proxy, watch):
    watch.expect("403 POST")
    page.goto(f"{proxy.origin(ingress.STRANGER)}/")
    with page.expect_navigation() as navigation:
        page.evaluate(SUBMIT, f"{url}/bff/logout")
    request = navigation.value.request.all_headers()
    assert "triptych_refresh" in request["cookie"] and request["sec-fetch-site"] == "same-site"
    page.goto(f"{url}/about")  # and the session lives
    expect(page.get_by_role("heading", level=1, name="About")).to_be_visible()


@pytest.mark.parametrize(("port", "status"), [("", 204), ("1", 403)], ids=["its own", "of another port"])
def test_the_origin_is_compared_to_the_host_that_the_browser_sees(port, status, page, url, proxy):
    """Browsers without fetch metadata: the Origin alone decides."""
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in page.context.cookies())
    host = httpx.URL(url).netloc.decode()
    headers = {"Host": host, "Cookie": cookies, "Origin": f"https://{host}{port}", "X-Requested-With": "triptych"}
    address = f"{proxy.origin('127.0.0.1')}{httpx.URL(url).path.rstrip('/')}/bff/logout"
    answer = httpx.post(address, headers=headers, verify=False, timeout=60)
    assert answer.status_code == status


def test_pages_ask_browsers_for_tls_from_then_on(url, open_page):
    answer = open_page().goto(f"{url}/login")
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    assert answer.security_details()["protocol"] == "TLS 1.3"
