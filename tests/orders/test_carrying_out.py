"""Carrying out orders of many numbers: one after the other, each with its own result, and how far it has come."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders import tasks
from numbersadmin.orders.models import Order, OrderItem, ProviderAttempt
from numbersadmin.orders.progress import progress_of
from tests.orders.desk import Desk
from tests.orders.many import MINUTE, bulk, carry_out, seen, shelf, states
from tests.orders.pages import get

pytestmark = pytest.mark.django_db


# Carrying out ----------------------------------------------------------------------------------------------------


@pytest.fixture
def order(desk: Desk, sandbox: Any) -> Order:
    """An approved order of six."""
    shelf(sandbox, 6)
    made = bulk(desk)
    assert len(desk.approve(made, fingerprint=seen(made)).approved) == 6
    return made


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
