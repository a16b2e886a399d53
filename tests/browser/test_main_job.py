"""The main job in a real browser: search, order, approve, bought, cancelled, in the month's cost and in the log."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from tests.browser.walk import SOON, await_done, choose, decide_from_overview, items, order, search
from tests.browser.watch import Visitor

REASON = "Order confirmations for the spring sale"


def this_month() -> str:
    return datetime.now(UTC).strftime("%Y-%m")


@pytest.fixture
def people(visit) -> tuple[Visitor, Visitor]:
    return visit("manager"), visit("approver")


def test_from_search_to_cancelled_and_paid(people):
    manager, approver = people
    page = manager.page
    search(page, "79")
    numbers = choose(page, 2)
    expect(page.locator("[data-n]")).to_have_text("2 numbers selected")
    page.get_by_role("button", name="Continue to order").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Order 2 numbers")
    number = order(page, REASON)
    assert sorted(items(page, "pending")) == sorted(numbers)
    assert page.locator('form[data-action="approve"]').count() == 0, "nobody approves what they asked for"
    expect(page.get_by_text("Someone else must approve this")).to_be_visible()

    decide_from_overview(approver, number)
    await_done(approver.page, 2)
    page.goto(f"/numbers/?q={numbers[0]}")
    page.locator(f'tr[data-number="{numbers[0]}"] a').first.click()
    expect(page.locator(f'article[data-number="{numbers[0]}"]')).to_have_attribute("data-status", "owned")
    owned_id = page.locator("article[data-id]").get_attribute("data-id") or ""

    cancelled = cancel(manager, numbers[0])
    decide_from_overview(approver, cancelled)
    await_done(approver.page, 1)
    page.goto(f"/numbers/{owned_id}/")
    expect(page.locator("article[data-id]")).to_have_attribute("data-status", "ended")

    page.goto(f"/costs/{this_month()}/lines/?country=GB&cost_centre=4120+Retail")
    expect(page.locator(f'tr[data-number="{numbers[0]}"]')).not_to_have_count(0)
    page.goto(f"/costs/{this_month()}/?by=cost_centre")
    expect(page.get_by_role("link", name="4120 Retail")).to_be_visible()
    assert_in_the_log(approver.page, numbers[0])


def assert_in_the_log(page: Page, number: str) -> None:
    """The whole life of the number, newest first, with the reason that was given."""
    page.goto(f"/numbers/?q={number}&state=all")
    page.locator(f'tr[data-number="{number}"] a').first.click()
    page.get_by_role("link", name="In the audit log").click()
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    verbs = page.locator("tr[data-verb]").evaluate_all("rows => rows.map(row => row.dataset.verb)")
    life = ["number.cancelled", "order.approved", "order.submitted", "number.purchased", "order.approved"]
    assert [verb for verb in verbs if verb in life] == [*life, "order.submitted"]
    expect(page.get_by_text(REASON).first).to_be_visible()


def cancel(manager: Visitor, number: str) -> str:
    """Ask to cancel the number of the open page: first with a wrong number, then with the right one."""
    page = manager.page
    page.get_by_role("link", name="Cancel number").click()
    expect(page.get_by_text("This cannot be undone")).to_be_visible()
    page.get_by_label("Why is it cancelled?").fill("The sale is over")
    page.get_by_role("radio", name="Now.").check()
    typed = page.get_by_label("Type the number to confirm")
    typed.fill(number[:-1] + str((int(number[-1]) + 1) % 10))
    manager.watch.expected.add(422)
    page.get_by_role("button", name="Cancel this number").click()
    expect(page.get_by_text("Nothing was cancelled")).to_be_visible()
    manager.watch.expected.clear()
    expect(page.get_by_label("Why is it cancelled?")).to_have_value("The sale is over")
    typed.fill("+" + number)
    page.get_by_role("button", name="Cancel this number").click()
    expect(page).to_have_url(re.compile(r"/orders/\d+/"))
    return page.locator("[data-order]").first.get_attribute("data-order") or ""


def test_an_approver_cannot_approve_their_own(visit):
    approver = visit("approver")
    search(approver.page, "48")
    choose(approver.page, 1)
    approver.page.get_by_role("button", name="Continue to order").click()
    order(approver.page, "A line for the approver")
    assert approver.page.locator('form[data-action="approve"]').count() == 0
    expect(approver.page.get_by_role("button", name="Approve", exact=True)).to_be_disabled()
    approver.press("withdraw")
    expect(
        approver.page.locator('[data-item][data-state="withdrawn"]')
        .or_(approver.page.get_by_text("Withdrawn"))
        .first
    ).to_be_visible()


def test_the_main_job_without_script(visit):
    manager = visit("manager", java_script_enabled=False)
    page = manager.page
    page.goto("/available/")
    page.get_by_label("Country").select_option("DE")
    page.get_by_label("Digits").last.fill("15")
    page.get_by_role("button", name="Search", exact=True).click()
    numbers = choose(page, 2)
    page.get_by_role("button", name="Continue to order").click()
    number = order(page, "Works without script")

    approver = visit("approver", java_script_enabled=False)
    decide_from_overview(approver, number)
    done = approver.page.locator('[data-item][data-state="done"]')
    expect(done).to_have_count(2, timeout=SOON)  # the page asks again by itself
    assert sorted(items(approver.page, "done")) == sorted(numbers)
    page.goto(f"/numbers/?q={numbers[1]}")
    expect(page.locator(f'tr[data-number="{numbers[1]}"]')).to_be_visible()
