"""Rules of the network guard, from the form to the kernel of a node and back as counters."""

from __future__ import annotations

import re
import secrets

import pytest
from playwright.sync_api import expect

from support import Api, new_prefix

pytestmark = pytest.mark.functional


@pytest.fixture
def prefix(admin: Api):
    """A prefix that no rule has; its rule is gone afterwards."""
    text = new_prefix()
    yield text
    for rule in admin.http.get("/guard/rules", params={"search": text}).json()["rules"]:
        admin.http.delete(f"/guard/rules/{rule['id']}").raise_for_status()


def test_a_rule_is_added_edited_and_deleted(open_page, prefix, admin: Api):
    page = open_page("maintainer")
    page.goto("/guard")
    page.get_by_role("button", name="New rule").click()
    dialog = page.get_by_role("dialog", name="New rule")
    dialog.get_by_label("Prefix").fill("300.0.0.1")
    dialog.get_by_role("button", name="Create rule").click()
    expect(dialog.get_by_text("Enter an address or prefix")).to_be_visible()
    dialog.get_by_label("Prefix").fill(prefix.replace("::/64", "::99/64"))
    expect(dialog.get_by_text(f"Kept as {prefix}.")).to_be_visible()
    dialog.get_by_label("Action").select_option("rate")
    dialog.get_by_label("Packets per second").fill("500")
    dialog.get_by_label("Protocol").select_option("UDP")
    dialog.get_by_label("Ports").fill("53, 8000-8010")
    dialog.get_by_label("Ends").select_option("One hour")
    dialog.get_by_label("Comment").fill("from a test")
    dialog.get_by_role("button", name="Create rule").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("searchbox", name="Search rules").fill(prefix)
    row = page.get_by_role("row").filter(has_text=prefix)
    expect(row).to_contain_text(re.compile(r"from a test.*rate.*UDP 53, 8000-8010", re.DOTALL))
    [rule] = admin.http.get("/guard/rules", params={"search": prefix}).json()["rules"]
    assert rule["limit"]["packets_per_second"] == 500 and rule["expires_at"]

    row.get_by_role("button", name="Edit the rule").click()
    dialog = page.get_by_role("dialog", name="Edit rule")
    expect(dialog.get_by_label("Ports")).to_have_value("53, 8000-8010")
    dialog.get_by_label("Action").select_option("deny")
    dialog.get_by_label("Count only").check()
    dialog.get_by_role("button", name="Save changes").click()
    expect(row).to_contain_text(re.compile("deny.*counts only", re.DOTALL))

    row.get_by_role("button", name="Delete the rule").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete rule").click()
    expect(page.get_by_text("No rule matches")).to_be_visible()


def test_the_hits_of_a_rule_rise(open_page, admin: Api):
    """Everything that reaches the node by TCP counts, and nothing is dropped."""
    body = {"prefix": "0.0.0.0/0", "protocol": 6, "action": "deny", "count_only": True, "ttl_seconds": 300,
            "comment": f"hits {secrets.token_hex(4)}"}  # fmt: skip
    rule = admin.http.post("/guard/rules", json=body).raise_for_status().json()
    try:
        page = open_page("viewer")
        page.goto(f"/guard?search={body['comment']}")
        packets = page.get_by_role("row").filter(has_text=body["comment"]).locator("td").last
        expect(packets).to_have_text(re.compile(r"^[1-9][\d,]*$"), timeout=60_000)
        before = packets.text_content()
        expect(packets).not_to_have_text(before, timeout=60_000)
    finally:
        admin.http.delete(f"/guard/rules/{rule['id']}").raise_for_status()


def test_a_new_rule_is_told_to_everybody_who_looks(open_page, prefix, admin: Api):
    page = open_page("viewer")
    page.goto("/guard?tab=events")
    events = page.get_by_role("region", name="Events")
    expect(events.get_by_role("status")).to_have_text("Live")
    rule = {"prefix": prefix, "action": "deny", "count_only": True, "ttl_seconds": 300}
    admin.http.post("/guard/rules", json=rule).raise_for_status()
    expect(events.get_by_role("listitem").filter(has_text="guard.create_rule").first).to_be_visible()


def test_the_nodes_and_what_they_see_are_shown(open_page):
    page = open_page("viewer")
    page.goto("/guard?tab=traffic")
    node = page.get_by_role("region", name="Node ")
    expect(node.first).to_contain_text(re.compile("Enforcing|Observing"))
    expect(node.first).to_contain_text("Packets by verdict")
    page.goto("/ingest")
    expect(page.get_by_role("region", name="Node ").first).to_be_visible()
