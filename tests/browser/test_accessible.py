"""axe on every page, light, dark and on a phone: no violation, and nothing wider than the screen."""

from collections.abc import Callable

import pytest

from tests.browser.axe import violations, with_axe
from tests.browser.pages import addresses
from tests.browser.watch import Visitor

MODES = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}
ANYBODYS = {"sign-in": "/sign-in/"}
APPROVERS = ("overview", "orders-open", "order-waits", "order-cancels", "order-of-three")


def faults(visitor: Visitor, pages: dict[str, str]) -> dict[str, list[str]]:
    """Page by name -> what is wrong with it."""
    wrong: dict[str, list[str]] = {}
    for name, address in pages.items():
        visitor.watch.expected = {404} if name.endswith("-no-month") or name == "missing" else set()
        visitor.page.goto(address)
        said = violations(visitor.page)
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
def test_every_page(look, mode):
    manager = look("manager", MODES[mode])
    pages = addresses(look("manager", {}).page)
    wrong = faults(manager, {**pages, "missing": "/numbers/99999999/"})
    approver = faults(look("approver", MODES[mode]), {name: pages[name] for name in APPROVERS})
    visitor = faults(look("", MODES[mode]), ANYBODYS)
    assert wrong | {f"approver's {name}": said for name, said in approver.items()} | visitor == {}


def test_a_fault_would_be_found(look):
    visitor = look("viewer", {})
    visitor.page.goto("/")
    assert violations(visitor.page) == []
    visitor.page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"/static/x\">')"
    )
    visitor.watch.expected.add(404)
    assert any(said.startswith("image-alt") for said in violations(visitor.page))
