"""Adoption: a number that a sync finds, or finds gone, goes to the order whose call explains it."""

from typing import Any

import pytest

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.numbers.services import Opening, open_numbers
from numbersadmin.orders import execution, services
from numbersadmin.orders.models import OrderItem
from tests.orders.desk import KEY, NUMBER, Desk, again, item_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def unknown(desk: Desk, sandbox: Any) -> OrderItem:
    """A purchase whose answer was lost; the provider did nothing."""
    item = desk.approved()
    sandbox.fault("purchase", "drop")
    return desk.carry_out(item)


def evidence(item: OrderItem) -> list[tuple[str, str]]:
    looks = item.attempts.order_by("-id").first().evidence
    return [(look["owned"], look["for_sale"]) for look in looks]


def posts(sandbox: Any) -> int:
    return len(sandbox.requests("purchase"))


def test_what_is_applied_late_is_adopted_by_its_order(desk: Desk, sandbox: Any):
    """Proved not bought, and bought after all: the provider did it later. The sync gives it to its order."""
    item = desk.approved()
    sandbox.switch(late_apply_seconds=200)
    sandbox.fault("purchase", "drop")
    desk.carry_out(item)
    desk.clock.on(60)
    desk.sweep()
    assert again(item).failure == "not_bought"
    sandbox.clock(desk.clock.on(200))
    facts = desk.provider.list_owned().numbers
    assert services.adopt(appeared=[(row, 7) for row in facts], now=desk.clock()) == {KEY}
    item = again(item)
    assert (item.state, item.note, item.failure) == ("done", "adopted", "")
    assert (item.owned_number.digest, item.owned_number.owner) == (7, desk.cast.manager)
    assert item.owned_number.acquired_basis == "purchased_here"
    assert services.adopt(appeared=[(row, 7) for row in facts], now=desk.clock()) == set()  # once only
    assert OwnedNumber.objects.count() == 1


def test_a_number_without_a_call_of_ours_belongs_to_no_order(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.api("outside", {"act": "purchase", "number": NUMBER})
    assert (
        services.adopt(appeared=[(row, 1) for row in desk.provider.list_owned().numbers], now=desk.clock())
        == set()
    )
    assert again(item).state == "approved"


def test_a_refused_call_explains_no_number(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.fault("purchase", "status", status=403)
    assert desk.carry_out(item).state == "failed"
    sandbox.api("outside", {"act": "purchase", "number": NUMBER})
    assert services.adopt(appeared=[(row, 1) for row in listed(desk)], now=desk.clock()) == set()


def listed(desk: Desk) -> Any:
    return [row.decode() for row in desk.provider.list_owned().rows]


def test_the_same_digits_in_another_country_are_not_adopted(unknown: OrderItem, desk: Desk, sandbox: Any):
    sandbox.stock(owned=[{"number": NUMBER, "country": "KZ", "numberKey": "KZ1"}])
    assert services.adopt(appeared=[(row, 1) for row in listed(desk)], now=desk.clock()) == set()
    desk.clock.on(60)
    desk.sweep()
    assert again(unknown).state == "failed"


def test_a_purchase_on_its_way_is_adopted_and_the_worker_finds_it_done(desk: Desk, sandbox: Any):
    """The sync reads the number between the provider's act and the worker's writing it down."""
    item = desk.approved()
    attempt = execution.claim(item, now=desk.clock(), number_key=KEY)
    result = execution.send(item, attempt, desk.provider)
    assert services.adopt(appeared=[(row, 1) for row in listed(desk)], now=desk.clock()) == {KEY}
    execution.record(item, attempt, result, desk.provider, desk.clock)
    assert again(item).state == "done"
    assert OwnedNumber.objects.count() == 1
    assert AuditEvent.objects.filter(verb="item.bought").count() == 1


def test_a_possession_that_is_open_already_is_not_doubled(desk: Desk, sandbox: Any):
    """A sync that knew nothing of the order was first: the order takes the same possession, with its owner."""
    item = desk.approved()
    attempt = execution.claim(item, now=desk.clock(), number_key=KEY)
    result = execution.send(item, attempt, desk.provider)
    now = desk.clock()
    opening = Opening(facts=listed(desk)[0], acquired_to=now, basis="bounded", verb="number.appeared")
    [seen] = open_numbers(openings=[opening], actor=None, now=now, source="sync", source_id=None)
    execution.record(item, attempt, result, desk.provider, desk.clock)
    item = again(item)
    assert (item.state, item.owned_number) == ("done", seen)
    assert (item.owned_number.owner, item.owned_number.cost_centre) == (desk.cast.manager, "4120 Retail")
    assert OwnedNumber.objects.count() == 1


# Shared numbers --------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(desk: Desk, sandbox: Any) -> Any:
    """A number that stays for sale when it is sold."""
    sandbox.api("outside", {"act": "change", "number": NUMBER, "set": {"shared": True}})
    sandbox.switch(key_changes_on_purchase=True)


def test_a_shared_number_is_bought(desk: Desk, shared: None):
    assert desk.carry_out(desk.approved()).state == "done"
    assert desk.carry_out(desk.approved()).state == "done"  # and once more
    assert OwnedNumber.objects.filter(number=NUMBER).count() == 2


def test_absence_alone_never_proves_that_a_shared_number_was_not_bought(
    desk: Desk, sandbox: Any, shared: None
):
    item = desk.approved()
    sandbox.fault("purchase", "drop")
    desk.carry_out(item)
    for _ in range(5):
        desk.clock.on(3600)
        desk.sweep()
    assert again(item).state == "unknown"
    assert posts(sandbox) == 1


def test_a_shared_number_that_we_had_before_is_not_taken_for_the_new_one(
    desk: Desk, sandbox: Any, shared: None
):
    first = desk.carry_out(desk.approved())
    item = desk.approved()
    sandbox.fault("purchase", "drop")
    item = desk.carry_out(item)
    assert (item.state, evidence(item)) == ("unknown", [("no", "yes")])
    sandbox.api("outside", {"act": "purchase", "number": NUMBER})
    desk.clock.on(60)
    desk.sweep()
    item = again(item)
    assert item.state == "done"
    assert item.owned_number != first.owned_number


def test_one_that_we_did_not_know_of_is_asked_for_before(desk: Desk, sandbox: Any, shared: None):
    sandbox.api("outside", {"act": "purchase", "number": NUMBER})  # no sync has seen it
    item = desk.approved()
    sandbox.fault("purchase", "drop")
    assert desk.carry_out(item).state == "unknown"


def test_a_late_cancellation_is_adopted_when_the_sync_finds_the_number_gone(
    desk: Desk, sandbox: Any, owned: OwnedNumber
):
    item = desk.approved_cancel(owned)
    sandbox.switch(late_apply_seconds=200)
    sandbox.fault("cancel", "drop")
    desk.carry_out(item)
    desk.clock.on(60)
    desk.sweep()
    assert again(item).failure == "not_cancelled"
    assert services.adopt_cancelled(owned=owned, now=desk.clock.on(200)) is True
    assert (again(item).state, again(item).note) == ("done", "confirmed")
    assert (owned.status, owned.end_basis) == (Status.ENDED, "cancelled_here")


def test_a_number_that_nobody_cancelled_here_has_disappeared(desk: Desk, owned: OwnedNumber):
    item = item_of(desk.cancel(owned))
    assert services.adopt_cancelled(owned=owned, now=desk.clock()) is False
    assert again(item).state == "pending"
    assert OwnedNumber.objects.get().status == Status.OWNED


def test_a_worker_that_wakes_up_after_another_order_bought_it_takes_nothing(desk: Desk, sandbox: Any):
    """It sends its one call late; the provider refuses, because the number is ours by the other order."""
    item = desk.approved()
    attempt = execution.claim(item, now=desk.clock(), number_key=KEY)
    for _ in range(2):
        desk.clock.on(60)
        desk.sweep()
    assert again(item).failure == "not_bought"
    other = desk.carry_out(desk.approved())
    result = execution.send(item, attempt, desk.provider)
    execution.record(item, attempt, result, desk.provider, desk.clock)
    assert (again(item).state, again(other).state) == ("failed", "done")
    assert len(sandbox.acts("purchase")) == 1


def test_what_turns_up_much_later_was_not_brought_by_a_call_that_failed(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.fault("purchase", "drop")
    desk.carry_out(item)
    desk.clock.on(60)
    desk.sweep()
    sandbox.api("outside", {"act": "purchase", "number": NUMBER})
    late = desk.clock.on(7 * 86400)
    assert services.adopt(appeared=[(row, 1) for row in listed(desk)], now=late) == set()
    assert again(item).failure == "not_bought"


def test_an_order_is_told_when_another_one_bought_its_number(desk: Desk, sandbox: Any):
    """Its own call may be the one that a worker sent late; a number that is sold once explains one order."""
    first = desk.approved()
    attempt = execution.claim(first, now=desk.clock(), number_key=KEY)
    for _ in range(2):
        desk.clock.on(60)
        desk.sweep()
    sandbox.fault("purchase", "drop")
    second = desk.carry_out(desk.approved())
    assert second.state == "unknown"
    result = execution.send(first, attempt, desk.provider)
    execution.record(first, attempt, result, desk.provider, desk.clock)
    desk.clock.on(60)
    desk.sweep()
    assert again(first).state == "done"
    assert (again(second).state, again(second).failure) == ("failed", "other_order")
