"""Deciding in the browser: by keyboard, in part, several at once, by two people, and with everything stopped."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.walk import SOON, choose, order, search


def order_one(page: Page, digits: str, reason: str, count: int = 1) -> str:
    """A manager's order for the first numbers with these digits; its number."""
    search(page, digits)
    choose(page, count)
    page.get_by_role("button", name="Continue to order").click()
    return order(page, reason)


def test_an_approver_clears_orders_with_j_k_and_enter(visit: Callable):
    manager = visit("manager").page
    wanted = {order_one(manager, digits, "Cleared by keyboard") for digits in ("31", "52", "63")}
    page = visit("approver").page
    page.goto("/orders/?q=Cleared+by+keyboard&state=open")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    for _ in wanted:
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_contain_text("Buy")
        number = page.locator("[data-order]").first.get_attribute("data-order") or ""
        page.keyboard.press("Enter")  # on the page as it comes, Enter does nothing
        expect(heading).to_contain_text("Buy")
        page.keyboard.press("j")
        expect(page.locator("[data-choice]:focus")).to_contain_text("Approve and buy")
        page.keyboard.press("Enter")
        expect(page.get_by_text(f"Approved order {number}")).to_be_visible()
        page.keyboard.press("j")  # and the next one is as near
        expect(page.locator("[data-choice]:focus")).to_contain_text("Next")
        page.goto("/orders/?q=Cleared+by+keyboard&state=open")
        if page.locator("tr[data-order]").count():
            page.keyboard.press("j")
            page.keyboard.press("Enter")
    page.goto("/orders/?q=Cleared+by+keyboard&state=all")
    expect(page.get_by_text("Waiting for approval")).to_have_count(0)


def test_leaving_a_number_out_shows_the_rest_first(visit: Callable):
    number = order_one(visit("manager").page, "7", "One of two is enough", count=2)
    page = visit("approver").page
    page.goto(f"/orders/{number}/")
    before = page.locator('button[data-choice]:has-text("Approve")').first.inner_text()
    page.locator('input[name="item"]').first.uncheck()
    expect(page.get_by_label("Why leave 1 out?")).to_be_visible()
    assert page.locator('button[data-choice]:has-text("Approve")').first.inner_text() != before
    page.get_by_label("Why leave 1 out?").fill("One is enough")
    page.locator('button[data-choice]:has-text("Approve")').first.click()
    expect(page.locator('[data-item][data-state="rejected"]')).to_have_count(1)
    expect(page.locator('[data-item][data-state="done"]')).to_have_count(1, timeout=SOON)


def test_several_orders_on_one_page(visit: Callable):
    manager = visit("manager").page
    wanted = [order_one(manager, digits, "Together") for digits in ("84", "95")]
    page = visit("approver").page
    page.goto("/orders/?q=Together&state=open")
    for number in wanted:
        page.get_by_label(f"Choose order {number}").check()
    page.get_by_role("button", name="Review and approve").click()
    expect(page.get_by_role("heading", name="Approve 2 orders for 2 numbers?")).to_be_visible()
    page.get_by_role("button", name="Approve 2 orders for 2 numbers").click()
    expect(page).to_have_url(re.compile(r"/orders/$"))
    for number in wanted:
        page.goto(f"/orders/{number}/")
        expect(page.get_by_text("Bought", exact=True).first).to_be_visible(timeout=SOON)


def test_the_first_so_many_of_a_search_without_script(visit: Callable):
    page = visit("manager", java_script_enabled=False).page
    page.goto("/available/?country=PL")
    page.get_by_role("link", name="Order the first so many").click()
    page.get_by_label("Numbers").first.fill("25")
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_role("heading", name="The first 25 numbers that fit")).to_be_visible()
    page.get_by_role("button", name="Go on with 25 numbers").click()
    number = order(page, "Twenty-five for the new shop")
    expect(page.get_by_text("25 in this order")).to_be_visible()
    approver = visit("approver").page
    approver.goto(f"/orders/{number}/")
    approver.locator('button[data-choice]:has-text("Approve")').first.click()
    expect(approver.locator("progress")).to_be_visible()
    expect(approver.locator("h1 .badge.ok")).to_have_text("Bought", timeout=3 * SOON)


def test_two_people_make_a_rule_and_a_stop_holds_everything_back(visit: Callable):
    admin, finance = visit("admin").page, visit("finance").page
    admin.goto("/policies/new/")
    admin.get_by_label("Currency").fill("SEK")
    admin.get_by_label("Up to, per month").fill("1000")
    admin.get_by_label("Reason").fill("Sweden is small")
    admin.get_by_role("button", name="Propose to finance").click()
    expect(admin.get_by_text("Proposed. It is in force when finance has confirmed it.")).to_be_visible()
    finance.goto("/")
    finance.get_by_role("link", name="New rule waits for finance").click()
    finance.get_by_role("button", name="Confirm: put it in force").click()
    expect(finance.get_by_text("Purchases in SEK, up to 1,000.00").first).to_be_visible()

    admin.goto("/policies/stop/")
    admin.get_by_label("Reason").fill("We look into it")
    admin.get_by_role("button", name="Stop buying and cancelling").click()
    try:
        number = order_one(visit("manager").page, "16", "While all is stopped")
        page = visit("approver").page
        page.goto(f"/orders/{number}/")
        expect(page.get_by_text("Buying and cancelling are stopped").first).to_be_visible()
        page.locator('button[data-choice]:has-text("Approve")').first.click()
        expect(page.locator('[data-item][data-state="approved"]').first).to_be_visible()
    finally:
        admin.goto("/policies/stop/")
        admin.get_by_label("Reason").fill("All is well")
        admin.get_by_role("button", name="Lift the stop").click()
    page.reload()
    expect(page.locator('[data-item][data-state="done"]')).to_be_visible(timeout=2 * SOON)
