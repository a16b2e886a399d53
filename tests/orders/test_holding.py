"""What holds orders back: an administrator's stop, and the pause after two lost answers in a row."""

from datetime import datetime
from typing import Any

import pytest

from numbersadmin.audit.models import AuditEvent
from numbersadmin.orders import execution, pausing, services
from numbersadmin.orders.models import Order
from numbersadmin.orders.quotes import Offer
from numbersadmin.policies.models import Stop
from numbersadmin.policies.services import Overtaken, Refused, lift, stop
from tests.orders.desk import KEY, NUMBER, SECOND, Desk, again

pytestmark = pytest.mark.django_db
THIRD = {"number": "79029555599", "numberKey": "K3", "country": "RU"}


def stopped(desk: Desk) -> Stop:
    return stop(actor=desk.cast.admin, reason="Wrong invoices", now=desk.clock())


def test_nothing_is_sent_while_everything_is_stopped(desk: Desk, bought_here: Any):
    item = desk.approved()
    on = stopped(desk)
    desk.sweep(at_once=True)
    assert (desk.carry_out(item).state, bought_here()) == ("approved", [])
    lift(actor=desk.cast.admin, stop_id=on.pk, reason="All well", now=desk.clock())
    desk.sweep()
    assert (again(item).state, bought_here()) == ("done", [NUMBER])


def test_a_stop_between_the_price_and_the_claim_counts(desk: Desk, sandbox: Any):
    """The claim looks again in its own transaction."""
    item = desk.approved()
    stopped(desk)
    with pytest.raises(execution.Later, match="Wrong invoices"):
        execution.claim(item, now=desk.clock(), number_key=KEY)
    assert not item.attempts.exists()
    assert sandbox.requests("purchase") == []


def test_what_a_stop_catches_before_its_claim_goes_on_afterwards(desk: Desk, sandbox: Any, bought_here: Any):
    """An administrator stops everything while the price is being read; a minute after the lift it is bought."""
    item, admin, on = desk.approved(), desk.cast.admin, list[Stop]()

    def clock() -> datetime:
        if sandbox.requests("list_available")[read:] and not on:
            on.append(stop(actor=admin, reason="Wrong invoices", now=desk.clock()))
        return desk.clock()

    read = len(sandbox.requests("list_available"))
    execution.execute_item(item_id=item.pk, provider=desk.provider, clock=clock)
    assert (on[0].open_mark, again(item).state, item.attempts.count()) == (True, "approved", 0)
    lift(actor=admin, stop_id=on[0].pk, reason="All well", now=desk.clock())
    desk.clock.on(60)
    desk.sweep()
    assert (again(item).state, bought_here()) == ("done", [NUMBER])


def test_without_that_look_it_would_be_claimed(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """The control."""
    monkeypatch.setattr(execution, "held_back", lambda item: "")
    item = desk.approved()
    stopped(desk)
    assert execution.claim(item, now=desk.clock(), number_key=KEY).pk


def test_what_is_being_sent_finishes(desk: Desk):
    item = desk.approved()
    attempt = execution.claim(item, now=desk.clock(), number_key=KEY)
    stopped(desk)
    result = execution.send(item, attempt, desk.provider)
    execution.record(item, attempt, result, desk.provider, desk.clock)
    assert again(item).state == "done"


def test_one_stop_at_a_time_by_an_administrator(desk: Desk):
    with pytest.raises(Refused):
        stop(actor=desk.cast.finance, reason="x", now=desk.clock())
    on = stopped(desk)
    with pytest.raises(Overtaken):
        stopped(desk)
    lift(actor=desk.cast.admin, stop_id=on.pk, reason="x", now=desk.clock())
    with pytest.raises(Overtaken):
        lift(actor=desk.cast.admin, stop_id=on.pk, reason="x", now=desk.clock())
    assert stopped(desk).pk != on.pk


# The pause -------------------------------------------------------------------------------------------------------


@pytest.fixture
def order(desk: Desk, sandbox: Any) -> Order:
    """An approved order of three."""
    price = {"pricePerMonth": "15", "setupPrice": "0", "currency": "EUR"}
    sandbox.stock(available=[{**THIRD, "price": price}])
    made = desk.order(*[Offer("RU", number) for number in (NUMBER, SECOND, str(THIRD["number"]))])
    assert len(desk.approve(made).approved) == 3
    return made


def run(desk: Desk, order: Order) -> None:
    for item in order.items.order_by("id"):
        desk.carry_out(item)


def test_two_lost_answers_in_a_row_pause_the_rest(desk: Desk, order: Order, sandbox: Any):
    sandbox.fault("purchase", "drop", times=2)
    run(desk, order)
    assert [item.state for item in order.items.order_by("id")] == ["unknown", "unknown", "approved"]
    order.refresh_from_db()
    assert order.paused_at == desk.clock()
    assert AuditEvent.objects.get(verb="order.paused").subject_id == order.pk
    desk.sweep(at_once=True)
    assert len(sandbox.requests("purchase")) == 2
    with pytest.raises(services.NotAllowed):
        services.resume(actor=desk.cast.manager, order=order, now=desk.clock())
    services.resume(actor=desk.cast.approver, order=order, now=desk.clock())
    with pytest.raises(services.Moved):
        services.resume(actor=desk.cast.approver, order=order, now=desk.clock())
    desk.sweep(at_once=True)
    assert order.items.order_by("id").last().state == "done"


def test_two_that_are_not_in_a_row_do_not(desk: Desk, order: Order, sandbox: Any):
    sandbox.fault("purchase", "drop")
    sandbox.fault("purchase", "drop", skip=1)
    run(desk, order)
    order.refresh_from_db()
    assert (order.paused_at, len(sandbox.requests("purchase"))) == (None, 3)


def test_without_the_pause_the_third_would_be_sent(
    desk: Desk, order: Order, sandbox: Any, monkeypatch: pytest.MonkeyPatch
):
    """The control."""
    monkeypatch.setattr(pausing, "IN_A_ROW", 9)
    sandbox.fault("purchase", "drop", times=2)
    run(desk, order)
    assert len(sandbox.requests("purchase")) == 3
