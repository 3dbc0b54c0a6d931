"""axe on a page as it is: at two widths, in every theme."""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page

WIDTHS = (1440, 390)
THEMES = ("dark", "light", "contrast")
SHOW = "theme => { document.documentElement.dataset.theme = theme; return new Promise(requestAnimationFrame) }"
RUN = "options => axe.run(document, options)"
OPTIONS = {"resultTypes": ["violations"]}


def violations(page: Page, widths: tuple[int, ...] = WIDTHS) -> str:
    """axe's report of what is wrong, for each width and theme in which anything is; empty when all is well."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    reports = [_run(page, width, theme) for width in widths for theme in THEMES]
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    return "\n".join(filter(None, reports))


def _run(page: Page, width: int, theme: str) -> str:
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(SHOW, theme)
    results = AxeResults(page.evaluate(RUN, OPTIONS))
    return f"{page.url} at {width} px, {theme}: {results.generate_report()}" if results.violations_count else ""
