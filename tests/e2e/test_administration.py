"""Audit log, webhooks and jobs."""

from __future__ import annotations

import json
import re
import secrets

import pytest
from browsing import toast
from playwright.sync_api import expect

from support import Api

pytestmark = pytest.mark.functional


def test_the_audit_log_is_filtered_and_exported(open_page, new_account):
    account = new_account("viewer")
    page = open_page("admin")
    page.goto("/audit")
    page.get_by_label("Action").fill("users.create")
    page.get_by_label("Period").select_option("1")
    page.get_by_role("button", name="Apply filter").click()
    actions = page.get_by_role("main").locator("tbody td:nth-child(3)")
    expect(actions.first).to_have_text("users.create")
    expect(actions.filter(has_not_text="users.create")).to_have_count(0)
    row = page.get_by_role("row").filter(has_text=f"user {account.id}")
    row.get_by_role("button", name="Details").click()
    expect(page.get_by_role("main")).to_contain_text(account.email)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as JSON Lines").click()
    events = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert {event["action"] for event in events} == {"users.create"}
    assert str(account.id) in {event["target_id"] for event in events}


def test_an_address_of_a_filter_can_be_shared(open_page, new_account):
    account, page = new_account("viewer"), open_page("admin")
    page.goto(f"/users/{account.id}?tab=activity")
    expect(page.get_by_text("Nothing recorded yet")).to_be_visible()
    page.goto("/audit?action=no.such_action&days=7")
    expect(page.get_by_label("Action")).to_have_value("no.such_action")
    expect(page.get_by_label("Period")).to_have_value("7")
    expect(page.get_by_text("No event matches")).to_be_visible()


def test_a_webhook_is_created_tested_and_deleted(open_page, admin: Api, watch):
    watch.expect("422 POST /api/v1/webhooks")
    # The cluster's own name server knows at once that there is none.
    url = f"https://{secrets.token_hex(4)}.default.svc.cluster.local/hook"
    page = open_page("admin")
    page.goto("/integrations")
    page.get_by_role("button", name="New webhook").click()
    dialog = page.get_by_role("dialog", name="New webhook")
    dialog.get_by_label("Address").fill("ftp://example.com/")
    dialog.get_by_label("Description").fill("of a test")
    dialog.get_by_role("button", name="Create webhook").click()
    expect(dialog.get_by_label("Address")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_label("Description")).to_have_value("of a test")
    dialog.get_by_label("Address").fill(url)
    dialog.get_by_role("button", name="Create webhook").click()
    expect(dialog.locator("code")).to_have_text(re.compile(r"^whsec_\S{20,}$"))
    dialog.get_by_role("button", name="Done").click()
    row = page.get_by_role("row").filter(has_text=url)
    row.get_by_role("button", name="Send a test").click()
    expect(toast(page, "A test is on its way")).to_be_visible()
    [hook] = [hook for hook in admin.http.get("/webhooks").json()["webhooks"] if hook["url"] == url]

    # Nobody answers at this address: the log says why, and that it goes on trying.
    page.get_by_role("tab", name="Deliveries").click()
    delivery = page.get_by_role("row").filter(has_text="webhooks.test").first
    expect(delivery).to_contain_text("Pending")
    expect(delivery).to_contain_text("does not resolve", timeout=90_000)

    page.get_by_role("tab", name="Webhooks").click()
    row.get_by_role("button", name="Delete the webhook").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete webhook").click()
    expect(page.get_by_role("dialog")).to_be_hidden()  # until then the page behind it has no rows at all
    expect(row).to_have_count(0)
    assert admin.http.get(f"/webhooks/{hook['id']}").status_code == 404


def test_a_job_runs_to_its_end_and_its_output_is_there(open_page, accounts):
    page = open_page("admin")
    page.goto("/jobs")
    page.get_by_role("button", name="Start a job").click()
    dialog = page.get_by_role("dialog", name="Start a job")
    dialog.get_by_label("Kind").select_option("users.export")
    dialog.get_by_role("button", name="Start", exact=True).click()
    expect(dialog).to_be_hidden()
    row = page.get_by_role("row").filter(has_text="users.export").first
    expect(row).to_contain_text("Succeeded", timeout=90_000)
    with page.expect_download() as download:
        row.get_by_role("link", name="Download").click()
    assert accounts["viewer"].email in download.value.path().read_text()
