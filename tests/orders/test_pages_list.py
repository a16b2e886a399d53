"""The queue: what waits for whom, its tabs, search, paging, and what everyone may see."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from numbersadmin.orders import services
from numbersadmin.orders.models import Order
from tests.orders.desk import NUMBER, OFFER, SECOND, Desk, Offer
from tests.orders.pages import fragment_stands_in_page, get

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("today")]


@pytest.fixture
def approver(provider: Any, signed_in: Any) -> Client:
    return signed_in("approver")


@pytest.fixture
def orders(desk: Desk) -> list[Order]:
    """One of the manager's with everything a row shows, then one of the approver's own."""
    first = desk.order(OFFER, reason="Order confirmations", cost_centre="4120 Retail")
    desk.clock.on(60)
    own = desk.order(Offer("RU", SECOND), actor=desk.cast.approver, reason="Returns line", cost_centre="")
    return [first, own]


def shown(client: Client, query: str = "") -> list[str]:
    return [row["data-order"] for row in get(client, f"/orders/{query}").all("data-order")]


def ids(*orders: Order) -> list[str]:
    return [str(order.pk) for order in orders]


def test_an_approver_first_sees_what_waits_oldest_first(approver: Client, orders: list[Order]):
    page = get(approver, "/orders/")
    assert [row["data-order"] for row in page.all("data-order")] == ids(*orders)
    assert page.all(aria_current="page", href="?state=open")
    for words in ("Order confirmations", "4120 Retail", "No cost centre", "9.19 EUR", "15.00 EUR"):
        assert words in page.text
    assert "Someone else must approve" in page.text
    assert page.text.count("Review order") == 1, "one's own is not to be decided"


def test_a_manager_first_sees_their_own(orders: list[Order], signed_in: Any):
    manager = signed_in("manager")
    assert shown(manager) == ids(orders[0])
    assert get(manager, "/orders/").all(aria_current="page", href="?state=mine")
    assert shown(signed_in("viewer")) == ids(*orders)


def test_the_lists(approver: Client, orders: list[Order], desk: Desk):
    first, own = orders
    assert shown(approver, "?state=mine") == ids(own)
    assert shown(approver, "?state=all") == ids(own, first)
    assert shown(approver, "?state=approved") == []
    item = desk.approve(first).approved[0]
    assert shown(approver, "?state=approved") == ids(first)
    desk.carry_out(item)
    assert shown(approver, "?state=bought") == ids(first)
    services.withdraw(actor=desk.cast.approver, order=own, now=desk.clock())
    assert shown(approver, "?state=rejected") == ids(own)
    assert "Nothing waits for a decision" in get(approver, "/orders/").text


def test_what_was_decided_today_is_below_the_queue(approver: Client, orders: list[Order], desk: Desk):
    services.reject(actor=desk.cast.approver, order=orders[0], comment="We own a <spare>", now=desk.clock())
    page = get(approver, "/orders/")
    assert "Decided today" in page.text
    assert "manager asked, approver rejected at 09:01: “We own a &lt;spare&gt;”" in page.text


def test_cancellations_say_so(approver: Client, owned: Any, desk: Desk):
    desk.cancel(owned)
    text = get(approver, "/orders/").text
    assert "· cancellation" in text
    assert "saved" in text


@pytest.mark.parametrize("q", ["confirmations", "RETAIL", NUMBER[2:], "+7 902 955 55 51", "manager"])
def test_search(approver: Client, orders: list[Order], q: str):
    client_rows = [
        row["data-order"]
        for row in get(approver, f"/orders/?state=all&q={q.replace('+', '%2B')}").all("data-order")
    ]
    assert client_rows == ids(orders[0])


def test_search_that_finds_nothing_or_makes_no_sense_is_a_page(approver: Client, orders: list[Order]):
    for q in ("nothing-like-this", "%00", "9" * 300, "%F0%9F%98%80", "'; drop"):
        page = get(approver, f"/orders/?state=all&q={q}")
        assert page.status == 200
        assert "No order fits" in page.text or page.all("data-order")


def test_unknown_lists_and_pages_are_a_page(approver: Client, orders: list[Order]):
    assert get(approver, "/orders/?state=nonsense").status == 404
    for page in ("0", "-1", "999999999999", "x", ""):
        assert shown(approver, f"?page={page}") == ids(*orders)


def test_paging_has_its_hook(approver: Client, desk: Desk, monkeypatch: pytest.MonkeyPatch):
    order = desk.order()
    for n in range(50):
        Order.objects.create(
            kind="purchase",
            requester=order.requester,
            reason=f"copy {n}",
            form_token=f"copy-{n}",
            created_at=order.created_at,
            expires_at=order.expires_at,
        )
    for copy in Order.objects.exclude(pk=order.pk):
        item = order.items.get()
        item.pk, item.order, item.number = None, copy, f"7902{copy.pk:07}"
        item.save(force_insert=True)
    page = get(approver, "/orders/?state=all")
    assert "1–50 of 51 orders" in page.text
    link = page.all(rel="next")[0]["href"]
    last = get(approver, f"/orders/{link}")
    assert [row["data-order"] for row in last.all("data-order")] == ids(order)
    assert not last.all(rel="next")
    with CaptureQueriesContext(connection) as many:
        get(approver, "/orders/?state=all")
    with CaptureQueriesContext(connection) as few:
        get(approver, f"/orders/{link}")
    assert len(many) == len(few), "queries do not grow with rows"


def test_the_fragment_stands_in_the_page(approver: Client, orders: list[Order]):
    fragment = fragment_stands_in_page(approver, "/orders/?state=all&q=confirm")
    assert "data-say" in fragment


def test_what_people_write_is_shown_as_text(approver: Client, desk: Desk):
    evil = "<script>alert(1)</script>"
    desk.order(reason=evil, cost_centre='"><i>x')
    html = get(approver, f"/orders/?state=all&q={evil}").html
    assert evil not in html
    assert '"><i>x' not in html


def test_strangers_and_wrong_methods(client: Client, approver: Client):
    assert client.get("/orders/").status_code == 302
    assert approver.post("/orders/").status_code == 405
