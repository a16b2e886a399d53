"""The sweep: the rows are the queue, and whatever was left anywhere is picked up."""

import time
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from kombu.exceptions import OperationalError

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders import execution, tasks
from numbersadmin.orders.models import OrderItem
from numbersadmin.orders.quotes import Offer
from tests.orders.desk import KEY, NUMBER, OFFER, SECOND, Desk, again, item_of

pytestmark = pytest.mark.django_db
TWO = (OFFER, Offer("RU", SECOND))


def states() -> list[str]:
    return list(OrderItem.objects.order_by("id").values_list("state", flat=True))


def test_what_nobody_was_told_of_is_carried_out(desk: Desk, bought_here: Any):
    desk.approve(desk.order(*TWO))
    swept = desk.sweep()
    assert (swept.executed, states(), len(bought_here())) == (2, ["done", "done"], 2)


def test_one_that_cannot_be_bought_does_not_stop_the_others(desk: Desk, sandbox: Any, bought_here: Any):
    desk.approve(desk.order(*TWO))
    sandbox.fault("purchase", "status", status=400)
    desk.sweep()
    assert (states(), bought_here()) == (["done", "failed"], [NUMBER])  # the sweep begins with the last


def test_the_worker_that_was_told_has_a_moment(desk: Desk, sandbox: Any):
    desk.approve(desk.order())
    leave = timedelta(seconds=20)
    assert desk.sweep(leave=leave).executed == 0
    desk.clock.on(20)
    assert desk.sweep(leave=leave).executed == 1


def test_refused_credentials_stop_the_sweep_at_the_first(desk: Desk, sandbox: Any):
    desk.approve(desk.order(*TWO))
    sandbox.switch(refuse_credentials=True)
    before = len(sandbox.requests())
    swept = desk.sweep()
    assert (swept.executed, swept.problem.kind) == (0, "credentials")
    assert states() == ["approved", "approved"]
    assert len(sandbox.requests()) - before <= 1
    assert sandbox.requests("purchase") == []


def test_what_waits_too_long_expires(desk: Desk):
    desk.order()
    desk.clock.on(14 * 86400 - 1)
    assert desk.sweep().expired == 0
    desk.clock.on(1)
    assert desk.sweep().expired == 1
    assert states() == ["expired"]


def test_an_approval_expires_after_a_day_although_the_provider_was_away(
    desk: Desk, sandbox: Any, bought_here: Any
):
    desk.approve(desk.order())
    sandbox.fault("*", "garbage", times=-1)
    for _ in range(25):
        desk.clock.on(3600)
        desk.sweep()
    assert states() == ["expired"]
    sandbox.api("faults", method="DELETE")
    desk.clock.on(60)
    desk.sweep(at_once=True)
    assert (states(), bought_here()) == (["expired"], [])
    assert AuditEvent.objects.filter(verb="order.expired").count() == 1


def test_what_is_put_off_is_done_when_due_or_asked_for(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.fault("purchase", "status", status=429, headers={"Retry-After": "600"})
    desk.carry_out(item)
    desk.sweep()
    assert states() == ["approved"]
    desk.sweep(at_once=True)
    assert states() == ["done"]


def test_an_item_whose_key_is_in_another_call_waits_for_it(desk: Desk, sandbox: Any):
    """Two orders for one shared number: while the outcome of one is unknown the other is not sent."""
    sandbox.api("outside", {"act": "change", "number": OFFER.number, "set": {"shared": True}})
    first = desk.approved()
    sandbox.fault("purchase", "drop")
    assert desk.carry_out(first).state == "unknown"
    OrderItem.objects.filter(pk=first.pk).update(number="1")  # out of the way of the other order's constraint
    second = desk.carry_out(desk.approved())
    assert (second.state, second.not_before) == ("approved", desk.clock() + timedelta(seconds=60))
    assert len(sandbox.requests("purchase")) == 1


# Commands and tasks ----------------------------------------------------------------------------------------------


@pytest.fixture
def real_time(desk: Desk, sandbox: Any) -> None:
    """Commands read the real clock, so orders are made at the real time too."""
    from django.utils import timezone

    desk.clock.now = timezone.now()


def settle(*options: str) -> str:
    out = StringIO()
    call_command("settle", *options, stdout=out, stderr=out)
    return out.getvalue()


def test_settle_carries_out_and_looks(desk: Desk, sandbox: Any, settings: Any, real_time: None):
    settings.SETTLE_INTERVAL_SECONDS = 0
    desk.approve(desk.order(*TWO))
    sandbox.fault("purchase", "drop", act=True)
    assert settle().startswith("2 carried out, 1 looked for, 0 expired, 0 found without an answer")
    assert states() == ["done", "done"]
    assert set(AuditEvent.objects.filter(verb="item.bought").values_list("source", flat=True)) == {"cli"}


def test_settle_looks_for_what_is_due_and_for_all_with_now(desk: Desk, sandbox: Any, real_time: None):
    item = desk.approved()
    sandbox.fault("purchase", "drop")
    desk.carry_out(item)
    assert "0 looked for" in settle()
    assert "1 looked for" in settle("--now")
    assert again(item).state == "unknown"  # two looks within the interval prove nothing


def test_settle_tells_of_trouble(desk: Desk, sandbox: Any, real_time: None):
    desk.approve(desk.order())
    sandbox.fault("*", "garbage", times=-1)
    assert "trouble with the provider:" in settle()


def test_the_task_of_an_order_carries_it_out(desk: Desk, sandbox: Any, real_time: None):
    item = desk.approved()
    sandbox.fault("purchase", "reset", act=True)
    tasks.execute_order(order_id=item.order_id)
    assert again(item).state == "done"
    tasks.execute_order(order_id=item.order_id)
    tasks.execute_order(order_id=10**9)
    tasks.sweep()
    assert len(sandbox.requests("purchase")) == 1
    assert AuditEvent.objects.get(verb="item.bought").source == "celery"


def test_a_broker_that_is_down_loses_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    item, told = desk.approved(), []

    def refuses(**message: Any) -> None:
        told.append(message)
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks.execute_order, "apply_async", refuses)
    tasks.enqueue([item.order_id, item.order_id + 1])
    assert len(told) == 1  # each try can take a while: the sweep does the others
    desk.sweep()
    assert again(item).state == "done"
    monkeypatch.setattr(tasks, "_away_until", time.monotonic())
    tasks.enqueue([item.order_id])
    assert len(told) == 2, "a moment later it is asked again"


def test_a_message_names_the_order_and_nothing_else(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    told = []
    monkeypatch.setattr(tasks.execute_order, "apply_async", lambda **message: told.append(message))
    tasks.enqueue([1, 2])
    assert told == [{"kwargs": {"order_id": order}, "retry": False} for order in (1, 2)]


def test_a_call_that_was_claimed_and_not_sent_is_not_sent_later(desk: Desk, sandbox: Any):
    item = desk.approved()
    execution.claim(item, now=desk.clock(), number_key=KEY)
    for _ in range(4):
        desk.clock.on(31)
        desk.sweep()
    assert (again(item).failure, sandbox.requests("purchase")) == ("not_bought", [])
    assert not OwnedNumber.objects.exists()


def test_nothing_to_do_asks_nobody(desk: Desk, sandbox: Any):
    item_of(desk.order())
    before = len(sandbox.requests())
    desk.sweep(at_once=True)
    assert len(sandbox.requests()) == before
