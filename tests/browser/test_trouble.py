"""What people see when the provider misbehaves: an unknown outcome, a changed price, no answer at all."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations, with_axe
from tests.browser.product import Product, await_that
from tests.browser.walk import SOON, await_done, choose, decide_from_overview, order, search, stay
from tests.browser.watch import Visitor


@pytest.fixture
def sandbox(product: Product) -> Iterator[Callable[..., Any]]:
    """The sandbox's control API; its misbehaviour ends with the test, and the provider is well again."""

    def call(path: str, body: Any = None, method: str = "POST") -> Any:
        data = json.dumps(body).encode() if body is not None else None
        asked = urllib.request.Request(f"{product.sandbox()}/_sandbox/{path}", data, method=method)
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return json.load(answer)

    yield call
    call("faults", method="DELETE")


@pytest.fixture
def people(visit: Callable) -> tuple[Visitor, Visitor]:
    return with_axe(visit("manager")), with_axe(visit("approver"))


def ordered(manager: Visitor, digits: str) -> tuple[str, str]:
    """Order one number; the number and its order."""
    search(manager.page, digits)
    (number,) = choose(manager.page, 1)
    manager.page.get_by_role("button", name="Continue to order").click()
    return number, order(manager.page, "A line that gives trouble")


def test_an_outcome_that_nobody_knows_is_looked_up_and_not_sent_again(people, sandbox):
    manager, approver = people
    number, asked = ordered(manager, "74")
    sandbox("faults", {"endpoint": "list_owned", "kind": "status", "status": 500, "times": -1})
    sandbox("faults", {"endpoint": "purchase", "kind": "drop", "act": True})
    decide_from_overview(approver, asked)
    page = approver.page
    stay(page)
    expect(page.locator('[data-item][data-state="unknown"]')).to_have_count(1, timeout=SOON)
    expect(page.get_by_role("heading", name="We do not know whether")).to_be_visible()
    expect(page.get_by_text("We will not send it again")).to_be_visible()
    assert violations(page) == []
    manager.page.goto("/")
    expect(manager.page.get_by_text("gave no definite answer").first).to_be_visible()

    sandbox("faults", method="DELETE")
    await_done(page, 1)
    sent = [act for act in sandbox("ledger", method="GET")["acts"] if act["number"] == number]
    assert [act["act"] for act in sent] == ["purchase"]


def test_a_price_that_moved_buys_nothing_and_shows_both(people, sandbox):
    manager, approver = people
    number, asked = ordered(manager, "78")
    page = approver.page
    page.goto(f"/orders/{asked}/")
    sandbox("outside", {"act": "change", "number": number, "set": {"pricePerMonth": "7.77"}})
    approver.press("approve")
    expect(page.get_by_role("heading", name="so nothing was bought")).to_be_visible()
    expect(page.get_by_text("Infobip now asks 7.77 GBP")).to_be_visible()
    expect(page.locator("[data-item]")).to_have_attribute("data-state", "pending")
    assert violations(page) == []
    approver.press("approve")
    await_done(page, 1)


def test_a_search_without_an_answer_says_so_and_keeps_the_filters(people, sandbox, product):
    manager, _ = people
    page = manager.page
    search(page, "44")
    sandbox("faults", {"endpoint": "list_available", "kind": "status", "status": 503, "times": -1})
    manager.watch.expected = {502, 503}
    page.goto("/available/?country=GB&digits=7&match=ends")
    expect(page.get_by_role("link", name="Try again")).to_be_visible()
    expect(page.get_by_label("Country")).to_have_value("GB")
    expect(page.locator("[name=digits]")).to_have_value("7")
    assert page.locator("#results tr[data-number]").count() == 0
    assert violations(page) == []
    sandbox("faults", method="DELETE")

    def well() -> bool:
        page.reload()
        return page.locator("#results tr[data-number]").count() > 0

    await_that(well, 30)
    expect(page).to_have_url(re.compile("digits=7"))
