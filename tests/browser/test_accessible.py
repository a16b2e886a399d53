"""axe on every page, light, dark and on a phone: no violation, and nothing wider than the screen."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from tests.browser.axe import COLOURS, violations, with_axe
from tests.browser.pages import addresses, of_finance
from tests.browser.product import Product
from tests.browser.watch import Visitor, arrival

MODES = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}
ADMINS = {"policy-new": "/policies/new/", "stop": "/policies/stop/"}
ANYBODYS = {"sign-in": "/sign-in/"}
APPROVERS = ("overview", "orders-open", "order-waits", "order-cancels", "order-of-three")


@pytest.fixture(scope="module")
def pages(chromium: Browser, product: Product, keys: dict) -> dict[str, str]:
    """Every page of a manager, and one that does not exist."""
    return {
        **addresses(arrival(chromium, product, keys, "manager").page),
        "missing": "/numbers/99999999/",
    }


@pytest.fixture(scope="module")
def finances(chromium: Browser, product: Product, keys: dict) -> dict[str, str]:
    """Every page that only finance sees."""
    return of_finance(arrival(chromium, product, keys, "finance").page)


def waiting(pages: dict[str, str]) -> list[str]:
    """The orders that an approver may decide on together."""
    return [
        pages[name].strip("/").rpartition("/")[2]
        for name in ("order-waits", "order-of-three", "order-cancels")
    ]


def faults(visitor: Visitor, pages: dict[str, str], mode: str) -> dict[str, list[str]]:
    """Page by name -> what is wrong with it. Dark differs from light in its colours alone."""
    wrong: dict[str, list[str]] = {}
    for name, address in pages.items():
        visitor.watch.expected = {404} if name.endswith("-no-month") or name == "missing" else set()
        visitor.page.goto(address)
        said = violations(visitor.page, COLOURS if mode == "dark" else None)
        if visitor.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            said.append("the page is wider than the screen")
        if said:
            wrong[name] = said
    return wrong


@pytest.fixture
def look(visit: Callable) -> Callable[[str, dict], Visitor]:
    """A person with axe in the browser."""

    def arrive(name: str, options: dict) -> Visitor:
        return with_axe(visit(name, **options))

    return arrive


@pytest.mark.parametrize("mode", MODES)
def test_every_page(look, pages, finances, mode):
    wrong = faults(look("manager", MODES[mode]), pages, mode)
    approvers = {f"approver's {name}": pages[name] for name in APPROVERS}
    wrong |= faults(look("approver", MODES[mode]), approvers, mode)
    review = {"review": f"/orders/approve/?{'&'.join(f'id={one}' for one in waiting(pages))}"}
    wrong |= faults(look("approver", MODES[mode]), review, mode)
    wrong |= faults(look("admin", MODES[mode]), ADMINS, mode)
    wrong |= faults(look("finance", MODES[mode]), finances, mode)
    wrong |= faults(look("", MODES[mode]), ANYBODYS, mode)
    assert wrong == {}


def test_a_fault_would_be_found(look):
    visitor = look("viewer", {})
    visitor.page.goto("/")
    assert violations(visitor.page) == []
    visitor.page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"/static/x\">')"
    )
    visitor.watch.expected.add(404)
    assert any(said.startswith("image-alt") for said in violations(visitor.page))
