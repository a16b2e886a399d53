"""Orders of many numbers: read again along the list they came from, and decided on in several goes."""

from collections.abc import Callable
from typing import Any

import pytest

from numbersadmin.orders import services
from numbersadmin.orders.lookups import read_quotes
from numbersadmin.orders.models import Order
from numbersadmin.orders.showing import look
from tests.orders.desk import Desk
from tests.orders.many import bulk, carry_out, gathered, seen, shelf, states

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(sandbox: Any) -> Callable[[], int]:
    """How many lists were asked for since the last time."""
    seen = 0

    def since() -> int:
        nonlocal seen
        before, seen = seen, len(sandbox.requests("list_available"))
        return seen - before

    return since


# Asking ----------------------------------------------------------------------------------------------------------


def test_five_hundred_of_a_search_and_not_one_more(desk: Desk, sandbox: Any):
    shelf(sandbox, 501)
    with pytest.raises(services.Incomplete, match="500 numbers at most"):
        bulk(desk)
    sandbox.api("outside", {"act": "taken", "number": gathered(desk)[7].number})
    order = bulk(desk)
    assert (order.items.count(), order.search["rows"]) == (500, 500)
    Order.objects.filter(pk=order.pk).update(search=None)
    with pytest.raises(services.Incomplete, match="20 numbers at most"):
        bulk(desk, search=None)


# Reading again ---------------------------------------------------------------------------------------------------


def test_five_hundred_are_read_again_with_a_call_a_page(desk: Desk, sandbox: Any, asked: Any):
    shelf(sandbox, 500)
    order = bulk(desk)
    offers = [quote.offer for quote in gathered(desk)]
    asked()
    reading = read_quotes(desk.provider, offers, now=desk.clock(), wait=5, search=order.search)
    assert (len(reading.quotes), reading.gone, reading.problem) == (500, [], None)
    assert asked() == 5
    read_quotes(desk.provider, offers[::17], now=desk.clock(), wait=5)
    assert asked() > 5  # the control: without the search, numbers that begin in many ways cost more


def test_what_was_sold_is_gone_only_by_a_call_for_the_whole_number(desk: Desk, sandbox: Any, asked: Any):
    numbers = shelf(sandbox, 250)
    order = bulk(desk)
    offers = [quote.offer for quote in gathered(desk)]
    for number in (numbers[3], numbers[200]):
        sandbox.api("outside", {"act": "taken", "number": number})
    asked()
    reading = read_quotes(desk.provider, offers, now=desk.clock(), wait=5, search=order.search)
    assert [offer.number for offer in reading.gone] == [numbers[3], numbers[200]]
    assert len(reading.quotes) == 248
    assert asked() == 3 + 2
    whole = [call["query"] for call in sandbox.requests("list_available")[-2:]]
    assert all(f"number={offer.number}" in query for offer, query in zip(reading.gone, whole, strict=True))


def test_few_of_a_long_search_are_not_looked_for_along_it(desk: Desk, sandbox: Any, asked: Any):
    shelf(sandbox, 5)
    offers = [quote.offer for quote in gathered(desk)]
    asked()
    reading = read_quotes(
        desk.provider, offers, now=desk.clock(), wait=5, search={"country": "", "rows": 20_000}
    )
    assert len(reading.quotes) == 5
    assert asked() <= 5


def shown(desk: Desk, order: Order) -> Any:
    """What an approver's page reads."""
    return look(desk.provider, order, list(order.items.order_by("id")), now=desk.clock(), wait=5)


def test_reading_goes_on_where_it_stopped(desk: Desk, sandbox: Any, asked: Any):
    shelf(sandbox, 500)
    order = bulk(desk)
    asked()
    sandbox.fault("list_available", "status", status=429, skip=3, times=2, headers={"Retry-After": "30"})
    first = shown(desk, order)
    assert (len(first.quotes), first.unread, first.problem.kind) == (300, 200, "busy")
    sandbox.api("faults", method="DELETE")
    asked()
    second = shown(desk, order)
    assert (len(second.quotes), second.unread, second.problem) == (500, 0, None)
    assert asked() == 3  # the page before, in case something moved, and the two that were left
    assert len(shown(desk, order).quotes) == 500
    assert asked() == 0


def test_what_is_gone_is_remembered_and_after_ten_minutes_asked_for_again(
    desk: Desk, sandbox: Any, asked: Any
):
    numbers = shelf(sandbox, 8)
    order = bulk(desk)
    sandbox.api("outside", {"act": "taken", "number": numbers[2]})
    gone = order.items.get(number=numbers[2]).pk
    assert shown(desk, order).gone == {gone}
    asked()
    desk.clock.on(599)
    assert (shown(desk, order).gone, asked()) == ({gone}, 0)
    desk.clock.on(1)
    assert shown(desk, order).gone == {gone}
    assert asked() > 0


def test_an_order_of_chosen_numbers_is_always_read_again(desk: Desk, asked: Any):
    order = desk.order()
    for _ in range(2):
        asked()
        assert len(shown(desk, order).quotes) == 1
        assert asked() == 1


# Deciding --------------------------------------------------------------------------------------------------------


def test_approving_asks_only_for_what_was_not_read_lately(desk: Desk, sandbox: Any, asked: Any):
    shelf(sandbox, 120)
    order = bulk(desk)
    shown(desk, order)
    asked()
    approved = desk.approve(order, fingerprint=seen(order)).approved
    assert (len(approved), asked()) == (120, 0)
    assert states(order) == {"approved": 120}


def test_an_approval_that_cannot_read_all_is_refused_and_goes_on_with_the_next(desk: Desk, sandbox: Any):
    shelf(sandbox, 250)
    order = bulk(desk)
    sandbox.fault("list_available", "status", status=429, skip=2, times=2, headers={"Retry-After": "30"})
    with pytest.raises(services.PriceUnread, match="Nothing was decided"):
        desk.approve(order, fingerprint=seen(order))
    assert states(order) == {"pending": 250}
    assert order.items.exclude(checked_at=None).count() == 200
    sandbox.api("faults", method="DELETE")
    assert len(desk.approve(order, fingerprint=seen(order)).approved) == 250


def test_what_is_gone_fails_without_asking_for_each_whose_it_is(desk: Desk, sandbox: Any):
    numbers = shelf(sandbox, 12)
    order = bulk(desk)
    for number in numbers[:3]:
        sandbox.api("outside", {"act": "taken", "number": number})
    sandbox.stock(owned=[{"numberKey": "OURS", "number": numbers[0], "country": "SE"}])
    desk.own("OURS", numbers[0])
    before = len(sandbox.requests("list_owned"))
    result = desk.approve(order, fingerprint=seen(order))
    assert len(sandbox.requests("list_owned")) == before
    assert [item.failure for item in result.gone] == ["already_owned", "not_for_sale", "not_for_sale"]
    assert states(order) == {"approved": 9, "failed": 3}


def test_a_price_that_moved_after_it_was_read_is_found_before_buying(
    desk: Desk, sandbox: Any, bought_here: Any
):
    numbers = shelf(sandbox, 5)
    order = bulk(desk)
    shown(desk, order)
    change = {"act": "change", "number": numbers[1], "set": {"pricePerMonth": "16"}}
    sandbox.api("outside", change)
    assert len(desk.approve(order, fingerprint=seen(order)).approved) == 5
    carry_out(desk, order)
    assert bought_here() == [numbers[0], *numbers[2:]]
    assert states(order) == {"done": 4, "pending": 1}
