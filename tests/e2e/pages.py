"""Every page of the web UI: where it is, what it shows and for whom. A page without a row here has no test."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page, expect

ROLES = ("admin", "maintainer", "viewer")
WRITERS = ("admin", "maintainer")
ADMINS = ("admin",)


@dataclass(frozen=True)
class Tab:
    """A tab of a page.

    Attributes:
        id: its value of `?tab=`.
        content: selector of something that only the loaded tab shows.
        roles: who has the tab at all.
    """

    id: str
    label: str
    content: str
    roles: tuple[str, ...] = ROLES


@dataclass(frozen=True)
class PageUnderTest:
    """A page.

    Attributes:
        path: address; `{user}` stands for the id of the test's maintainer.
        heading: of level 1.
        link: text of its entry in the navigation; empty: it has none.
        content: selector of something that only the loaded page shows.
        roles: who may open it; everybody else is told so.
        tabs: all of them; the first is shown without `?tab=`.
    """

    path: str
    heading: str
    link: str
    content: str
    roles: tuple[str, ...] = ROLES
    tabs: tuple[Tab, ...] = ()


PAGES = (
    PageUnderTest("/", "Dashboard", "Dashboard", "ul[aria-label=Components]"),
    PageUnderTest("/system", "System", "System", "[role=tablist]", tabs=(
        Tab("installation", "Installation", "dt:has-text('Database engine')"),
        Tab("components", "Components", "ul[aria-label=Components]"),
        Tab("nodes", "Nodes", "h2:has-text('Fast path')"),
    )),
    PageUnderTest("/guard", "Network guard", "Network guard", "[role=tablist]", tabs=(
        Tab("rules", "Rules", "table, h2:has-text('No rules yet')"),
        Tab("traffic", "Traffic", "h2"),
        Tab("policy", "Policy", "label:has-text('Traffic that no rule names')"),
        Tab("events", "Events", "[role=status]:has-text('Live')"),
        Tab("drops", "Drops", "[role=status]:has-text('Live'), h2:has-text('No fast-path node yet')"),
    )),
    PageUnderTest("/ingest", "Ingest", "Ingest", "[role=tablist]", tabs=(
        Tab("streams", "Streams", "h2"),
        Tab("queues", "Queues and subscribers", "h2"),
        Tab("tail", "Live tail", "label:has-text('Port'), h2:has-text('No fast-path node yet')", WRITERS),
    )),
    PageUnderTest("/integrations", "Webhooks", "Webhooks", "[role=tablist]", ADMINS, (
        Tab("webhooks", "Webhooks", "table, h2:has-text('No webhooks yet')"),
        Tab("deliveries", "Deliveries", "table, h2:has-text('No deliveries')"),
    )),
    PageUnderTest("/jobs", "Jobs", "Jobs", "table, h2:has-text('No jobs yet')"),
    PageUnderTest("/users", "Users", "Users", "table", ADMINS),
    PageUnderTest("/users/{user}", "Test maintainer", "", "[role=tablist]", ADMINS, (
        Tab("account", "Account", "dt:has-text('Second factor')"),
        Tab("api-keys", "API keys", "table, h2:has-text('No API keys yet')"),
        Tab("activity", "Activity", "table"),
    )),
    PageUnderTest("/roles", "Roles", "Roles", "table:has(caption:text-is('users'))"),
    PageUnderTest("/audit", "Audit log", "Audit log", "table", ADMINS),
    PageUnderTest("/profile", "Profile", "Profile", "[role=tablist]", tabs=(
        Tab("account", "Account", "dt:has-text('Email')"),
        Tab("security", "Security", "button:has-text('Turn on')"),
        Tab("sessions", "Sessions", "table"),
        Tab("api-keys", "API keys", "table, h2:has-text('No API keys yet')"),
        Tab("appearance", "Appearance", "legend:has-text('Theme')"),
    )),
    PageUnderTest("/about", "About", "About", "a:has-text('OpenAPI document')"),
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """What one address shows: a page, or one tab of it.

    Attributes:
        address: path and query.
        contents: selectors below the page's `main` that its loaded form has, all of them.
    """

    page: PageUnderTest
    address: str
    contents: tuple[str, ...]
    roles: tuple[str, ...]

    def open(self, page: Page, user: int) -> None:
        """Go there and wait until all of it is loaded. `user` is the id of a user with a page."""
        page.goto(self.address.format(user=user))
        self.expect_loaded(page)

    def expect_loaded(self, page: Page) -> None:
        main = page.get_by_role("main")
        expect(main.get_by_role("heading", level=1, name=self.page.heading)).to_be_visible()
        for content in self.contents:
            expect(main.locator(content).first).to_be_visible()
        expect(main.locator("[aria-busy=true]")).to_have_count(0)


def views() -> list[View]:
    """Every page and every tab of it, each once."""
    found = []
    for page in PAGES:
        tabs = [View(page, f"{page.path}?tab={tab.id}", (page.content, tab.content), tab.roles) for tab in page.tabs]
        found += tabs or [View(page, page.path, (page.content,), page.roles)]
    return found
