"""Orders of many numbers: read along the list they came from, decided on in several goes, carried out in turn."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders import services, sweeping, tasks
from numbersadmin.orders.lookups import read_quotes
from numbersadmin.orders.models import Order, OrderItem, ProviderAttempt
from numbersadmin.orders.progress import progress_of
from numbersadmin.orders.quotes import Quote
from numbersadmin.orders.showing import look
from tests.orders.desk import RU, Desk
from tests.orders.pages import get

pytestmark = pytest.mark.django_db
MINUTE = timedelta(seconds=60)


def shelf(sandbox: Any, count: int) -> list[str]:
    """So many Swedish numbers for sale that begin in many ways, as the list has them."""
    found = sorted(f"467{index * 7919 % 1000:03}{index:05}" for index in range(count))
    rows = [{**RU, "country": "SE", "number": one, "numberKey": f"K{one}"} for one in found]
    sandbox.stock(available=rows)
    return found


def gathered(desk: Desk) -> list[Quote]:
    """What a search for Swedish numbers finds."""
    quotes: list[Quote] = []
    while page := desk.provider.list_available(country="SE", page=len(quotes) // 100).numbers:
        quotes += [Quote.of_provider(one, desk.clock()) for one in page]
        if len(page) < 100:
            break
    return quotes


def bulk(desk: Desk, **given: Any) -> Order:
    """An order of all that is found."""
    quotes = gathered(desk)
    facts = {
        "actor": desk.cast.manager,
        "owner": desk.cast.manager,
        "cost_centre": "",
        "reason": "New shops",
        "sender_id": False,
        "form_token": desk.form(),
        "now": desk.clock(),
        "search": {"country": "SE", "capabilities": [], "number": "", "rows": len(quotes)},
    }
    return services.submit_purchase(quotes=quotes, **facts | given)


@pytest.fixture
def asked(sandbox: Any) -> Callable[[], int]:
    """How many lists were asked for since the last time."""
    seen = 0

    def since() -> int:
        nonlocal seen
        before, seen = seen, len(sandbox.requests("list_available"))
        return seen - before

    return since


def states(order: Order) -> dict[str, int]:
    """How many items stand how."""
    found = list(order.items.values_list("state", flat=True))
    return {state: found.count(state) for state in sorted(set(found))}


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


def seen(order: Order) -> str:
    """The fingerprint that the approver's page carries."""
    from numbersadmin.orders.selectors import shown_fingerprint

    items = list(order.items.filter(state="pending").order_by("id"))
    return shown_fingerprint(order, items, order.created_at)


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


# Carrying out ----------------------------------------------------------------------------------------------------


@pytest.fixture
def order(desk: Desk, sandbox: Any) -> Order:
    """An approved order of six."""
    shelf(sandbox, 6)
    made = bulk(desk)
    assert len(desk.approve(made, fingerprint=seen(made)).approved) == 6
    return made


def carry_out(desk: Desk, order: Order, longest: timedelta = MINUTE) -> bool:
    """What the worker does when it is told of an order."""
    return sweeping.carry_out_order(
        order_id=order.pk, provider=desk.provider, clock=desk.clock, longest=longest
    )


def test_one_after_the_other_and_each_with_its_own_result(
    desk: Desk, order: Order, sandbox: Any, bought_here: Any
):
    sandbox.fault("purchase", "status", status=400, skip=2)
    assert carry_out(desk, order) is False
    assert states(order) == {"done": 5, "failed": 1}
    numbers = list(order.items.order_by("id").values_list("number", flat=True))
    assert bought_here() == numbers[:2] + numbers[3:]
    assert OwnedNumber.objects.count() == 5


def test_told_twice_nothing_is_bought_twice(desk: Desk, order: Order, sandbox: Any):
    carry_out(desk, order)
    before = len(sandbox.requests())
    assert carry_out(desk, order) is False
    assert len(sandbox.requests()) == before
    assert len(sandbox.requests("purchase")) == 6


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_one_order_buy_each_number_once(desk: Desk, order: Order, bought_here: Any):
    start = threading.Barrier(2)

    def work(act: Callable[[], object]) -> None:
        try:
            start.wait(5)
            act()
        finally:
            connection.close()

    acts = [lambda: carry_out(desk, order), desk.sweep]
    threads = [threading.Thread(target=work, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert states(order) == {"done": 6}
    assert sorted(bought_here()) == sorted(order.items.values_list("number", flat=True))
    assert ProviderAttempt.objects.count() == 6


def test_trouble_that_concerns_all_ends_it_at_the_first(desk: Desk, order: Order, sandbox: Any):
    sandbox.switch(refuse_credentials=True)
    before = len(sandbox.requests())
    assert carry_out(desk, order) is False
    assert len(sandbox.requests()) - before == 1
    assert states(order) == {"approved": 6}


def test_two_lost_answers_in_a_row_leave_the_rest(desk: Desk, order: Order, sandbox: Any):
    sandbox.fault("purchase", "drop", times=-1)
    carry_out(desk, order)
    assert states(order) == {"approved": 4, "unknown": 2}
    assert len(sandbox.requests("purchase")) == 2


def test_a_long_order_makes_way_and_is_told_of_again(
    desk: Desk, order: Order, monkeypatch: pytest.MonkeyPatch, today: None
):
    told: list[Any] = []
    monkeypatch.setattr(tasks.execute_order, "apply_async", lambda **message: told.append(message))
    monkeypatch.setattr(tasks, "AT_A_TIME", timedelta())
    tasks.execute_order(order_id=order.pk)
    assert told == [{"kwargs": {"order_id": order.pk}, "retry": False}]
    assert states(order)["approved"] >= 5
    monkeypatch.setattr(tasks, "AT_A_TIME", MINUTE)
    tasks.execute_order(order_id=order.pk)
    assert (states(order), len(told)) == ({"done": 6}, 1)


def test_the_sweep_leaves_an_order_that_is_being_carried_out(desk: Desk, order: Order):
    leave = timedelta(seconds=20)
    desk.clock.on(300)
    desk.carry_out(order.items.order_by("id")[0])
    desk.clock.on(19)
    assert desk.sweep(leave=leave).executed == 0
    desk.clock.on(1)
    assert desk.sweep(leave=leave).executed == 5
    assert states(order) == {"done": 6}


def test_the_sweep_begins_at_the_other_end(desk: Desk, order: Order, bought_here: Any):
    numbers = list(order.items.order_by("id").values_list("number", flat=True))
    desk.sweep()
    assert bought_here() == numbers[::-1]


# Progress --------------------------------------------------------------------------------------------------------


def progress(desk: Desk, order: Order, **given: Any) -> Any:
    items = list(order.items.all())
    attempts = ProviderAttempt.objects.filter(item__order=order)
    return progress_of(items, attempts, desk.clock(), **{"held": False} | given)


def test_the_time_left_is_told_by_the_pace_of_the_order_itself(desk: Desk, order: Order):
    assert progress(desk, order).seconds_left == 9  # six at the usual pace
    for item in order.items.order_by("id")[:4]:
        desk.carry_out(item)
        desk.clock.on(5)
    now = progress(desk, order)
    assert (now.done, now.settled, now.total, now.seconds_left) == (4, 4, 6, 10)
    assert progress(desk, order, held=True).seconds_left is None
    desk.clock.on(60)
    assert progress(desk, order).seconds_left is None  # it stands still, and nobody knows until when
    carry_out(desk, order)
    assert progress(desk, order).seconds_left is None


def test_what_failed_is_told_by_reason_the_most_frequent_first(desk: Desk, order: Order, sandbox: Any):
    for number in order.items.order_by("id").values_list("number", flat=True)[:2]:
        sandbox.api("outside", {"act": "taken", "number": number})
    sandbox.fault("purchase", "status", status=400)
    sandbox.fault("purchase", "drop", act=False, skip=1)
    carry_out(desk, order)
    now = progress(desk, order)
    assert (now.done, now.failed, now.unknown, now.settled) == (2, 3, 1, 5)
    assert now.failures == [
        ("Somebody else bought it first. Nothing was charged.", 2),
        ("Infobip refused it. Nothing was charged.", 1),
    ]


def test_the_page_of_a_long_order_stays_short(desk: Desk, sandbox: Any, signed_in: Any, today: None):
    shelf(sandbox, 104)
    order = bulk(desk)
    desk.approve(order, fingerprint=seen(order))
    items = list(order.items.order_by("id"))
    for item in items[:2]:
        desk.carry_out(item)
    sandbox.fault("purchase", "status", status=400)
    desk.carry_out(items[-1])
    page = get(signed_in("approver"), f"/orders/{order.pk}/")
    rows = page.all("data-item")
    assert (len(rows), rows[0]["data-state"]) == (100, "failed")
    assert "100 of 104 numbers are shown, what needs a look first" in page.text
    assert "Bought from Infobip: 2 numbers" in page.text
    assert " left. 2 bought, 1 not." in page.text
    assert len(get(signed_in("approver"), f"/orders/{order.pk}/?all=1").all("data-item")) == 104


def test_an_approver_is_told_that_it_takes_longer_than_a_minute(desk: Desk, sandbox: Any, signed_in: Any):
    shelf(sandbox, 21)
    page = get(signed_in("approver"), f"/orders/{bulk(desk).pk}/")
    assert "Approving buys the numbers one after the other, about one a second." in page.text
    assert OrderItem.objects.exclude(checked_at=None).count() == 21
