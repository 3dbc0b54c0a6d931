"""What a hostile script, site or text cannot do in a signed-in browser."""

from __future__ import annotations

import re
import secrets

import attacker
import httpx
import pytest
from browsing import sign_in
from playwright.sync_api import Page, expect

from support import Api, new_prefix

pytestmark = pytest.mark.functional
# All that a script of the page can read: what is stored, what the page shows, and what hangs on `window`.
READABLE = """async () => {
  const seen = new Set(), texts = [document.cookie, document.documentElement.outerHTML];
  texts.push(JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  for (const { name } of await indexedDB.databases()) texts.push(name);
  for (const name of await caches.keys()) texts.push(name);
  const visit = (value, depth) => {
    if (typeof value === "string") texts.push(value);
    if (value === null || typeof value !== "object" || seen.has(value) || depth > 6) return;
    seen.add(value);
    for (const key of Object.keys(value)) try { visit(value[key], depth + 1) } catch { /* a forbidden getter */ }
  };
  for (const key of Object.getOwnPropertyNames(window)) try { visit(window[key], 0) } catch { /* as above */ }
  return texts.join("\\n");
}"""
NOTE_VIOLATIONS = """() => {
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.effectiveDirective));
}"""
XSS = "<img src=x onerror=\"window.injected='img'\"><script>window.injected='script'</script>'\"</textarea>"


@pytest.fixture(scope="module")
def stranger():
    """Port of a page of another origin."""
    with attacker.serving() as port:
        yield port


def test_no_token_can_be_read_by_a_script(open_page, new_account, base_url):
    account, page, finished = new_account("maintainer"), open_page(), []
    page.on("requestfinished", lambda request: finished.append(request))  # what is broken off has no whole answer
    page.goto("/")
    sign_in(page, **account.login)
    for name in ("Network guard", "Profile"):
        page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    page.get_by_role("tab", name="Sessions").click()
    expect(page.get_by_role("table", name="Sessions")).to_be_visible()
    cookies = page.context.cookies()
    assert {cookie["name"] for cookie in cookies} == {"triptych_access", "triptych_refresh"}
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Strict" for cookie in cookies)
    readable = page.evaluate(READABLE)
    readable += "".join(request.response().text() for request in finished if re.search("/(bff|api)/", request.url))
    assert account.email in readable  # it looked where tokens would be
    assert not [cookie["name"] for cookie in cookies if cookie["value"] in readable]
    assert "eyJ" not in readable


# What a page can send anywhere without asking: forms, and requests that need no preflight.
SIMPLE = "([url, body]) => fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body }).then(() => 'sent', () => 'refused')"
FORM = """([url, body]) => {
  const form = Object.assign(document.createElement("form"), { method: "POST", action: url, enctype: "text/plain" });
  form.append(Object.assign(document.createElement("input"), { name: body }));
  document.body.append(form);
  form.submit();
}"""
WITH_HEADER = """([url, body]) => fetch(url, {
  method: "POST", credentials: "include", body, headers: { "X-Requested-With": "triptych" },
}).then(() => "sent", () => "refused")"""


@pytest.mark.parametrize("site", ["localhost", "127.0.0.1"])
def test_another_origin_changes_nothing(site, signed_in, new_account, admin: Api, stranger, base_url, watch):
    """At another port of the same host cookies are sent, so that only the server's own checks refuse."""
    email = f"e2e-forged-{secrets.token_hex(4)}@example.com"
    account = new_account("admin")
    body = f'{{"email":"{email}","full_name":"x","role":"admin","password":"correct horse battery"}}'
    page = signed_in(account)
    page.goto(f"http://{site}:{stranger}/")
    users, logout = f"{base_url}/api/v1/users", f"{base_url}/bff/logout"
    refused = "403" if site == "localhost" else "401"
    watch.expect(f"{refused} POST /api/v1/users")  # the form's; the browser keeps other answers from the page
    watch.allow(
        "POST /bff/logout", "has been blocked by CORS policy", "net::ERR_FAILED", "net::ERR_BLOCKED_BY_RESPONSE"
    )
    for address, text in ((users, body), (logout, "")):
        page.evaluate(SIMPLE, [address, text])  # goes out; the page never learns the answer
        assert page.evaluate(WITH_HEADER, [address, text]) == "refused"
    with page.expect_navigation():
        page.evaluate(FORM, [users, body])
    assert admin.users(email) == []
    page.goto("/about")  # and the session lives
    expect(page.get_by_role("heading", level=1, name="About")).to_be_visible()


def test_another_site_cannot_put_it_in_a_frame(open_page, stranger, base_url, watch):
    watch.expect("frame-ancestors", "net::ERR_BLOCKED_BY_RESPONSE")
    page = open_page("admin")
    page.goto(f"http://localhost:{stranger}/")
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.evaluate(
            "url => document.body.append(Object.assign(document.createElement('iframe'), { src: url }))", base_url
        )
    assert all(base_url not in frame.url for frame in page.frames[1:])


# What an attacker's script would do in the page, and the directive that stops it.
INJECTIONS = {
    "an inline script": ("add('script', { textContent: 'window.injected = 1' })", "script-src-elem"),
    "a handler of an image": ("add('div').innerHTML = '<img src=/x onerror=window.injected=1>'", "script-src-attr"),
    "a script from elsewhere": ("add('script', { src: `${stranger}/evil.js` })", "script-src-elem"),
    "an address that is a script": ("add('a', { href: 'javascript:window.injected=1' }).click()", "script-src-elem"),
    "a request to elsewhere": ("fetch(stranger).catch(() => {})", "connect-src"),
    "a form to elsewhere": ("add('form', { action: stranger }).submit()", "form-action"),
    "a frame from elsewhere": ("add('iframe', { src: stranger })", "frame-src"),
    "a picture from elsewhere": ("add('img', { src: `${stranger}/x.png` })", "img-src"),
}
INJECT = """(stranger) => {
  const add = (tag, properties) => {
    const element = Object.assign(document.createElement(tag), properties);
    document.body.append(element);
    return element;
  };
  %s;
}"""


@pytest.mark.parametrize("name", INJECTIONS)
def test_the_policy_blocks_what_was_injected(name, open_page, stranger, watch):
    watch.expect("Content Security Policy")
    watch.allow(": csp")
    script, directive = INJECTIONS[name]
    page = open_page("viewer")
    page.goto("/about")
    page.evaluate(NOTE_VIOLATIONS)
    page.evaluate(INJECT % script, f"http://localhost:{stranger}")
    page.wait_for_function("directive => window.violations.includes(directive)", arg=directive)
    assert page.evaluate("window.injected") is None


NEXT = ("//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example/", "javascript:window.injected=1",
        "/\t/evil.example", "/%2F/evil.example", "data:text/html,x")  # fmt: skip


def test_login_leads_to_no_other_site(open_page, accounts, base_url):
    page, left = open_page(), []
    page.on(
        "request",
        lambda request: left.append(request.url) if not request.url.startswith((base_url, "data:image")) else None,
    )
    for target in NEXT:
        page.context.clear_cookies()
        page.goto(str(httpx.URL("/login", params={"next": target})))
        sign_in(page, **accounts["viewer"].login)
        expect(page.get_by_role("heading", level=1, name=re.compile("Dashboard|Page not found"))).to_be_visible()
        assert page.url.startswith(f"{base_url}/"), target
        assert page.evaluate("window.injected") is None
    assert left == []


STREAM = """() => { window.stream = new EventSource("/api/v1/events?topics=guard") }"""


def test_an_open_event_stream_ends_with_the_session(signed_in, new_account, watch):
    watch.expect("401 GET /api/v1/events")
    page = signed_in(new_account("viewer"))
    page.goto("/about")  # asks nothing by itself
    page.evaluate(STREAM)
    page.wait_for_function("() => window.stream.readyState === EventSource.OPEN")
    other = page.context.new_page()
    other.goto("/about")
    other.get_by_role("button", name="User menu of").click()
    other.get_by_role("menuitem", name="Sign out").click()
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()
    page.wait_for_function("() => window.stream.readyState === EventSource.CLOSED")


# Where a text comes from the address.
ADDRESSES = ("/users?search={}", "/guard?search={}&action={}", "/audit?actor={}&action={}&request_id={}", "/profile?tab={}",
             "/integrations?tab=deliveries&state={}", "/login?next={}", "/users/{}", "/{}")  # fmt: skip


def test_a_text_of_the_address_stays_a_text(open_page, watch):
    page = open_page("admin")
    for address in ADDRESSES:
        page.goto(address.replace("{}", str(httpx.QueryParams({"x": XSS}))[2:].replace("+", "%20")))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("main").locator("[aria-busy=true]")).to_have_count(0)
        assert page.evaluate("window.injected") is None, address


def test_a_text_of_a_field_stays_a_text(open_page, new_account, admin: Api):
    """Each text that a user can store, shown on each page that shows it; the browser's name included."""
    run = secrets.token_hex(4)
    account = new_account("admin", full_name=f"{XSS}{run}")
    page = open_page(user_agent=f"{XSS} {run}")
    page.goto("/")
    sign_in(page, **account.login)
    expect(page.get_by_role("heading", level=1, name="Dashboard")).to_be_visible()
    rule = {
        "prefix": new_prefix(),
        "action": "deny",
        "count_only": True,
        "comment": XSS,
        "ttl_seconds": 600,
    }
    rule = admin.http.post("/guard/rules", json=rule).raise_for_status().json()
    hook = {"url": f"https://example.com/{run}", "events": ["xss.*"], "description": XSS, "enabled": False}
    hook = admin.http.post("/webhooks", json=hook).raise_for_status().json()
    page.goto("/profile?tab=api-keys")
    page.get_by_role("button", name="New API key").click()
    page.get_by_role("dialog").get_by_label("Name").fill(XSS[:60])
    page.get_by_role("dialog").get_by_role("button", name="Create key").click()
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    for address in (
        "/profile?tab=api-keys", "/profile?tab=sessions", "/users?search=" + account.email, f"/users/{account.id}",
        "/guard?search=" + rule["prefix"], "/integrations", f"/audit?actor={account.email}",
    ):  # fmt: skip
        page.goto(address)
        text = account.email if address.startswith("/audit") else XSS[:10]
        expect(page.get_by_role("main")).to_contain_text(text)
        assert page.evaluate("window.injected") is None, address
    admin.http.delete(f"/guard/rules/{rule['id']}").raise_for_status()
    admin.http.delete(f"/webhooks/{hook['id']}").raise_for_status()


def test_a_refusal_shows_no_stack_trace_and_no_markup(open_page, watch):
    watch.expect("401 POST /bff/login")
    page: Page = open_page()
    page.goto("/login")
    sign_in(page, "x@example.com", XSS)
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    assert not re.search(r"Traceback|at .+:\d+|eyJ", alert.inner_text())
    assert page.evaluate("window.injected") is None
