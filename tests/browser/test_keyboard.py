"""With the keyboard alone: sign in, go to the search, type, leave the field, walk over rows, tick, go on."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.product import Product

MOST_TABS = 60


def tab_to(page: Page, fits: str) -> None:
    """Press Tab until the element that has the focus fits; `fits` is a script about `element`."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate(f"(element => {fits})(document.activeElement)"):
            return
    raise AssertionError(f"no such element within {MOST_TABS} steps: {fits}")


def test_sign_in_search_and_choose(visit: Callable, product: Product):
    page = visit().page
    page.goto("/sign-in/")
    page.keyboard.type("manager")
    page.keyboard.press("Tab")
    page.keyboard.type(product.password("manager"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    page.keyboard.press("g")
    page.keyboard.press("f")
    expect(page.get_by_role("heading", name="Available numbers")).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("#filters [data-search]")).to_be_focused()
    page.keyboard.type("44")
    expect(page).to_have_url(re.compile("digits=44"))
    expect(page.locator("#filters [data-search]")).to_be_focused()
    page.keyboard.press("j")  # typed, not obeyed
    expect(page.locator("#filters [data-search]")).to_have_value("44j")
    page.keyboard.press("Backspace")
    expect(page).to_have_url(re.compile("digits=44(&|$)"))

    tab_to(page, "element.matches('a, button') && !element.closest('#filters')")
    rows = page.locator("#results table[data-nav] tbody tr")
    for key, row in (("j", 0), ("j", 1), ("k", 0)):
        page.keyboard.press(key)
        expect(rows.nth(row)).to_have_class(re.compile(r"\bcur\b"))
    for row in (0, 1):
        page.keyboard.press("x")
        expect(rows.nth(row).locator("[data-row]")).to_be_checked()
        page.keyboard.press("j")
    expect(page.locator("[data-n]")).to_have_text("2 numbers selected")
    page.keyboard.press("Enter")  # on a box of the form, which sends it
    expect(page.get_by_role("heading", name="Order 2 numbers")).to_be_visible()


def test_shortcuts_can_be_switched_off(visit: Callable):
    page = visit("viewer").page
    page.goto("/me/")
    page.get_by_role("checkbox", name="Keyboard shortcuts").uncheck()
    page.locator('form[data-action="preferences"] [type=submit]').click()
    page.goto("/orders/")
    page.keyboard.press("g")
    page.keyboard.press("n")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement === document.body")
    assert page.url.endswith("/orders/")
    page.goto("/me/")
    page.get_by_role("checkbox", name="Keyboard shortcuts").check()
    page.locator('form[data-action="preferences"] [type=submit]').click()
