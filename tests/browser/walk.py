"""What people do on the pages: search, choose, order, decide, wait. Each leaves the page that it ends on."""

import re

from playwright.sync_api import Page, expect

from tests.browser.watch import Visitor

SOON = 20_000  # milliseconds: the worker's task, or at the latest its next sweep


def stay(page: Page) -> None:
    """Mark the page as it is: a reload would lose the mark."""
    page.evaluate("document.documentElement.dataset.here = 'yes'")


def assert_not_reloaded(page: Page) -> None:
    assert page.evaluate("document.documentElement.dataset.here") == "yes"


def search(page: Page, digits: str) -> None:
    """Type digits into the search and wait until the table shows only what fits, on the same page."""
    page.goto("/available/?country=GB")
    stay(page)
    page.get_by_label("Digits").last.press_sequentially(digits, delay=20)
    expect(page).to_have_url(re.compile(rf"digits={digits}"))
    rows = page.locator("#results tr[data-number]")
    expect(rows.first).to_be_visible()
    assert all(digits in row for row in rows.evaluate_all("rows => rows.map(row => row.dataset.number)"))
    assert_not_reloaded(page)


def choose(page: Page, count: int) -> list[str]:
    """Tick that many numbers that can be had, go on to the order page; the numbers."""
    boxes = page.locator('form[data-action="choose"] input[name="offer"]:enabled')
    refs = [boxes.nth(index).get_attribute("value") or "" for index in range(count)]
    for ref in refs:
        page.locator(f'input[name="offer"][value="{ref}"]').check()
    return [ref.partition("-")[2] for ref in refs]


def order(page: Page, reason: str) -> str:
    """Fill in the order page and send it; the order's number."""
    page.get_by_label("Owner").select_option("manager")
    page.get_by_label("Cost centre").fill("4120 Retail")
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Send for approval").click()
    expect(page).to_have_url(re.compile(r"/orders/\d+/"))
    return page.locator("[data-order]").first.get_attribute("data-order") or ""


def items(page: Page, state: str) -> list[str]:
    rows = page.locator(f'[data-item][data-state="{state}"]')
    return rows.evaluate_all("rows => rows.map(row => row.dataset.number)")


def decide_from_overview(approver: Visitor, number: str) -> None:
    """Find the order on the front page, open it, approve it."""
    approver.page.goto("/")
    approver.page.locator(f'main a[href="/orders/{number}/"]:visible').first.click()
    expect(approver.page.locator(f'[data-order="{number}"]')).to_be_visible()
    approver.press("approve")
    expect(approver.page).to_have_url(re.compile(rf"/orders/{number}/$"))


def await_done(page: Page, count: int) -> None:
    """The items become done on the page as it is, without loading it again."""
    stay(page)
    expect(page.locator('[data-item][data-state="done"]')).to_have_count(count, timeout=SOON)
    assert_not_reloaded(page)
