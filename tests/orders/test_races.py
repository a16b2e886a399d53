"""Two at once: whatever two people or two workers do at the same moment, one of them was first.

Each race has its control, which shows that the race is really run: without the guard both come through.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.orders import execution, machine, services
from numbersadmin.orders.models import Decision, Order, OrderItem, ProviderAttempt, State
from numbersadmin.orders.quotes import Offer, fingerprint_of
from tests.orders.desk import KEY, NUMBER, SECOND, Clock, Desk, again, item_of

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run these at the same time, each in a thread with a connection of its own; results or errors in order."""
    results: list[Any] = [None] * len(acts)
    start = threading.Barrier(len(acts))

    def run(index: int, act: Callable[[], Any]) -> None:
        try:
            start.wait(5)
            results[index] = act()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return results


class MeetingClock(Clock):
    """A clock at whose `nth` reading in each thread the threads wait for one another."""

    def __init__(self, now: Any, threads: int, nth: int) -> None:
        super().__init__(now)
        self.meeting = threading.Barrier(threads)
        self.nth = nth
        self.readings = threading.local()

    def __call__(self) -> Any:
        self.readings.count = getattr(self.readings, "count", 0) + 1
        if self.readings.count == self.nth:
            self.meeting.wait(5)
        return self.now


@pytest.fixture
def no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state machine without its condition: the last one to write wins."""

    def careless(item: OrderItem, now: Any, fields: dict[str, Any]) -> None:
        OrderItem.objects.filter(pk=item.pk).update(version=F("version") + 1, updated_at=now, **fields)
        item.version += 1
        for name, value in fields.items():
            setattr(item, name, value)

    monkeypatch.setattr(machine, "_update", careless)


# Two workers -----------------------------------------------------------------------------------------------------


def carry_out_twice(desk: Desk, item: OrderItem) -> list[Any]:
    """Two workers that have both read the price and now both claim the item."""
    clock = MeetingClock(desk.clock(), threads=2, nth=3)
    return at_once(
        *[lambda: execution.execute_item(item_id=item.pk, provider=desk.provider, clock=clock)] * 2
    )


def test_two_workers_send_an_item_once(desk: Desk, sandbox: Any):
    for offer in (Offer("RU", NUMBER), Offer("RU", SECOND)):
        item = desk.approved(offer)
        results = carry_out_twice(desk, item)
        assert not [result for result in results if isinstance(result, Exception)]
        assert again(item).state == "done"
    assert len(sandbox.requests("purchase")) == ProviderAttempt.objects.count() == 2
    assert OwnedNumber.objects.count() == 2
    assert AuditEvent.objects.filter(verb="item.executing").count() == 2


def test_without_the_guards_both_would_send(desk: Desk, sandbox: Any, no_guard: None):
    """The control: the condition and the constraints of the attempts are what keeps the second from sending."""
    with connection.cursor() as cursor:
        for name in ("attempt_one_live_per_item", "attempt_one_live_per_key"):
            cursor.execute(f"DROP INDEX {name}")
    try:
        carry_out_twice(desk, desk.approved())
        assert len(sandbox.requests("purchase")) == 2
    finally:
        ProviderAttempt.objects.all().delete()
        with connection.schema_editor() as editor:
            for constraint in ProviderAttempt._meta.constraints:
                editor.execute(constraint.create_sql(ProviderAttempt, editor))


def test_two_cancellations_are_one_delete(desk: Desk, sandbox: Any, owned: OwnedNumber):
    item = desk.approved_cancel(owned)
    clock = MeetingClock(desk.clock(), threads=2, nth=2)
    work = [lambda: execution.execute_item(item_id=item.pk, provider=desk.provider, clock=clock)] * 2
    at_once(*work)
    assert again(item).state == "done"
    assert len(sandbox.requests("cancel")) == 1


def test_a_sync_and_the_worker_open_one_possession(desk: Desk, sandbox: Any):
    for _ in range(5):
        item = desk.approved()
        attempt = execution.claim(item, now=desk.clock(), number_key=KEY)
        result = execution.send(item, attempt, desk.provider)
        [listed] = desk.provider.list_owned(number=NUMBER).numbers
        errors = at_once(
            lambda item=item, attempt=attempt, result=result: execution.record(
                item, attempt, result, desk.provider, desk.clock
            ),
            lambda listed=listed: services.adopt(appeared=[(listed, 1)], now=desk.clock()),
        )
        assert not [error for error in errors if isinstance(error, Exception)]
        assert again(item).state == "done"
        [owned] = OwnedNumber.objects.open()
        assert AuditEvent.objects.filter(verb="item.bought", subject_id=item.pk).count() == 1
        desk.carry_out(desk.approved_cancel(owned))


# Two people ------------------------------------------------------------------------------------------------------


def approve_twice(desk: Desk, sandbox: Any, order: Order) -> list[Any]:
    """Two approvers who have the same page before them and click at the same moment."""
    seen = fingerprint_of(order.items.values_list("fingerprint", flat=True))
    people = [desk.cast.approver, desk.cast.approver2]
    sandbox.fault("list_available", "delay", seconds=0.1, times=2)  # both have read the order by then

    def approve(who: Any) -> services.Approval:
        return services.approve(
            provider=desk.provider,
            actor=who,
            order=Order.objects.get(pk=order.pk),
            round=1,
            fingerprint=seen,
            comment="",
            now=desk.clock(),
        )

    return at_once(*[lambda who=who: approve(who) for who in people])


def test_of_two_approvers_one_decides_and_the_other_is_told_who(desk: Desk, sandbox: Any):
    for offer in [Offer("RU", NUMBER), Offer("RU", SECOND)] * 2:
        order = desk.order(offer)
        results = approve_twice(desk, sandbox, order)
        [lost] = [result for result in results if isinstance(result, services.Moved)]
        [won] = [result for result in results if isinstance(result, services.Approval)]
        decision = Decision.objects.get(order=order)
        assert str(lost).startswith(f"{decision.approver.username} approved it on")
        assert AuditEvent.objects.filter(verb="order.approved", related_id=order.pk).count() == 1
        assert won.approved
        services.withdraw(actor=desk.cast.manager, order=order, now=desk.clock())


def test_without_the_guard_both_would_decide(desk: Desk, sandbox: Any, no_guard: None):
    order = desk.order()
    results = approve_twice(desk, sandbox, order)
    assert [type(result) for result in results] == [services.Approval] * 2
    assert Decision.objects.filter(order=order).count() == 2


def test_approving_against_withdrawing(desk: Desk, sandbox: Any):
    for _ in range(5):
        order = desk.order()
        seen = fingerprint_of(order.items.values_list("fingerprint", flat=True))
        results = at_once(
            lambda order=order, seen=seen: services.approve(
                provider=desk.provider,
                actor=desk.cast.approver,
                order=Order.objects.get(pk=order.pk),
                round=1,
                fingerprint=seen,
                comment="",
                now=desk.clock(),
            ),
            lambda order=order: services.withdraw(
                actor=desk.cast.manager, order=Order.objects.get(pk=order.pk), now=desk.clock()
            ),
        )
        refused = [result for result in results if isinstance(result, Exception)]
        assert all(isinstance(error, services.Moved) for error in refused)
        state = item_of(order).state
        events = AuditEvent.objects.filter(related_id=order.pk).exclude(verb="order.submitted")
        assert events.last().after["state"] == state
        assert events.count() == 2 - len(refused)
        assert Decision.objects.filter(order=order).count() == (not isinstance(results[0], Exception))
        if state != State.WITHDRAWN:
            services.withdraw(actor=desk.cast.manager, order=order, now=desk.clock())


def submit_at_once(desk: Desk, tokens: list[str]) -> list[Any]:
    quotes, manager = desk.quotes(), desk.cast.manager
    facts = {"actor": manager, "owner": manager, "cost_centre": "", "reason": "Why", "sender_id": False}
    return at_once(
        *[
            lambda token=token: services.submit_purchase(
                quotes=quotes, form_token=token, now=desk.clock(), **facts
            )
            for token in tokens
        ]
    )


def test_one_form_sent_eight_times_at_once_is_one_order(desk: Desk):
    results = submit_at_once(desk, ["same"] * 8)
    assert {result.pk for result in results} == {Order.objects.get().pk}
    assert AuditEvent.objects.filter(verb="order.submitted").count() == 1


def test_eight_people_want_one_number_and_one_gets_to_order_it(desk: Desk):
    results = submit_at_once(desk, [f"form {index}" for index in range(8)])
    order = Order.objects.get()
    assert [result for result in results if isinstance(result, Order)] == [order]
    refused = [result for result in results if isinstance(result, services.AlreadyOrdered)]
    assert len(refused) == 7
    assert {str(error) for error in refused} == {
        f"+7\u00a0902\u00a0955\u00a055\u00a051 is already in order {order.pk}. "
        "Leave it out, or wait for that order."
    }
