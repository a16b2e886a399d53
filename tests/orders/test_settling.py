"""Unknown outcomes: looked for until something is proved, and adopted when they show up late."""

from datetime import timedelta
from typing import Any

import pytest

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.numbers.services import Opening, open_numbers
from numbersadmin.orders import execution, services
from numbersadmin.orders.models import OrderItem, ProviderAttempt
from numbersadmin.orders.settling import proves_not_done, settle_item
from tests.orders.desk import KEY, NUMBER, OFFER, Desk, again, item_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def unknown(desk: Desk, sandbox: Any) -> OrderItem:
    """A purchase whose answer was lost; the provider did nothing."""
    item = desk.approved()
    sandbox.fault("purchase", "drop")
    item = desk.carry_out(item)
    assert item.state == "unknown"
    return item


def evidence(item: OrderItem) -> list[tuple[str, str]]:
    looks = item.attempts.order_by("-id").first().evidence
    return [(look["owned"], look["for_sale"]) for look in looks]


def posts(sandbox: Any) -> int:
    return len(sandbox.requests("purchase"))


def test_two_looks_far_enough_apart_prove_that_it_was_not_bought(
    unknown: OrderItem, desk: Desk, sandbox: Any
):
    assert evidence(unknown) == [("no", "yes")]
    assert unknown.not_before == desk.clock() + timedelta(seconds=60)
    desk.clock.on(59)
    assert desk.sweep().looked == 0  # not due
    assert desk.sweep(at_once=True).looked == 1  # but asked for
    assert again(unknown).state == "unknown"  # 59 s prove nothing
    desk.clock.on(1)
    desk.sweep(at_once=True)
    item = again(unknown)
    assert (item.state, item.failure, item.not_before) == ("failed", "not_bought", None)
    attempt = ProviderAttempt.objects.get()
    assert (attempt.outcome, attempt.ambiguous) == ("not_done", True)
    assert posts(sandbox) == 1


def test_not_bought_can_be_ordered_again(unknown: OrderItem, desk: Desk, bought_here: Any):
    with pytest.raises(services.AlreadyOrdered):
        desk.order()
    desk.clock.on(60)
    desk.sweep()
    assert desk.carry_out(desk.approved()).state == "done"
    assert bought_here() == [NUMBER]


def test_neither_ours_nor_for_sale_proves_nothing(unknown: OrderItem, desk: Desk, sandbox: Any):
    sandbox.api("outside", {"act": "taken", "number": NUMBER})
    gaps = []
    for _ in range(6):
        before = desk.clock()
        desk.clock.now = again(unknown).not_before
        gaps.append((desk.clock() - before).total_seconds())
        assert desk.sweep().looked == 1
    assert again(unknown).state == "unknown"
    assert gaps == [60, 60, 120, 240, 480, 960]  # ever rarer


def test_a_look_that_finds_it_gone_from_sale_starts_the_proof_anew(
    unknown: OrderItem, desk: Desk, sandbox: Any
):
    sandbox.fault("list_available", "status", status=200, body={"numbers": [], "numberCount": 0})
    desk.clock.on(60)
    desk.sweep()
    desk.clock.on(60)
    desk.sweep()
    assert evidence(unknown) == [("no", "yes"), ("no", "no"), ("no", "yes")]
    assert again(unknown).state == "unknown"
    desk.clock.on(60)
    desk.sweep(at_once=True)
    assert again(unknown).failure == "not_bought"


def test_looks_without_an_answer_neither_help_nor_harm(unknown: OrderItem, desk: Desk, sandbox: Any):
    sandbox.fault("list_owned", "garbage", times=2)
    for _ in range(2):
        desk.clock.on(60)
        swept = desk.sweep()
        assert swept.problem is not None
    assert again(unknown).state == "unknown"
    assert again(unknown).not_before == desk.clock() + timedelta(seconds=60)  # no rarer for that
    desk.clock.on(60)
    desk.sweep()
    assert again(unknown).failure == "not_bought"


def test_a_provider_without_any_answer_is_never_taken_for_a_no(unknown: OrderItem, desk: Desk, sandbox: Any):
    sandbox.fault("*", "garbage", times=-1)
    for _ in range(5):
        desk.clock.on(3600)
        desk.sweep(at_once=True)
    assert again(unknown).state == "unknown"


def test_it_is_found_although_the_lists_lag_behind(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.switch(read_lag_seconds=90)
    sandbox.fault("purchase", "reset", act=True)
    item = desk.carry_out(item)
    for _ in range(2):
        assert again(item).state == "unknown"
        sandbox.clock(desk.clock.on(60))
        desk.sweep()
    item = again(item)
    assert (item.state, item.note, posts(sandbox)) == ("done", "settled", 1)
    assert item.owned_number.acquired_at == ProviderAttempt.objects.get().started_at
    assert AuditEvent.objects.filter(verb="number.adopted").count() == 1


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


# Abandoned calls -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [True, False])
def test_a_worker_that_dies_leaves_an_unknown_outcome(desk: Desk, sandbox: Any, sent: bool):
    item = desk.approved()
    attempt = execution.claim(item, now=desk.clock(), number_key=KEY)
    if sent:
        execution.send(item, attempt, desk.provider)  # and never written down
    assert attempt.lease_until == desk.clock() + timedelta(seconds=30.5)
    for _ in range(2):  # the message comes again, and the sweep comes by
        assert desk.carry_out(item).state == "executing"
        desk.sweep()
    desk.clock.on(31)
    swept = desk.sweep()
    assert (swept.abandoned, swept.looked) == (1, 1)
    desk.clock.on(60)
    desk.sweep()
    item = again(item)
    assert (item.state, item.failure) == (("done", "") if sent else ("failed", "not_bought"))
    assert posts(sandbox) == len(sandbox.acts("purchase")) == OwnedNumber.objects.count() == sent


@pytest.mark.parametrize("waited", [31, 100])
def test_an_answer_after_the_lease_is_still_written_down(desk: Desk, sandbox: Any, waited: int):
    """A worker that slept through its lease comes back with the answer, even after a look had said no."""
    item = desk.approved()
    attempt = execution.claim(item, now=desk.clock(), number_key=KEY)
    desk.clock.on(waited)
    desk.sweep()
    desk.clock.on(60)
    desk.sweep()
    assert again(item).state == "failed"
    result = execution.send(item, attempt, desk.provider)
    execution.record(item, attempt, result, desk.provider, desk.clock)
    item = again(item)
    assert (item.state, item.note) == ("done", "adopted")
    assert ProviderAttempt.objects.get().outcome == "ok"
    assert OwnedNumber.objects.get() == item.owned_number


def test_a_refusal_after_the_lease_settles_it(desk: Desk, sandbox: Any):
    item = desk.approved()
    attempt = execution.claim(item, now=desk.clock(), number_key=KEY)
    desk.clock.on(31)
    desk.sweep()
    assert again(item).state == "unknown"
    sandbox.fault("purchase", "status", status=403)
    result = execution.send(item, attempt, desk.provider)
    execution.record(item, attempt, result, desk.provider, desk.clock)
    assert (again(item).state, again(item).failure) == ("failed", "credentials")


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


# Cancelling ------------------------------------------------------------------------------------------------------


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


def test_a_key_that_changed_after_the_delete_is_not_called_cancelled(
    desk: Desk, sandbox: Any, owned: OwnedNumber
):
    item = desk.approved_cancel(owned)
    sandbox.api(
        "outside",
        {
            "act": "change",
            "number": owned.number,
            "set": {"numberKey": "OWNED2"},
            "after": {"endpoint": "get", "calls": 1},
        },
    )
    sandbox.fault("cancel", "drop")
    item = desk.carry_out(item)
    assert (item.state, item.failure) == ("failed", "key_mismatch")
    owned.refresh_from_db()
    assert owned.status == Status.OWNED


def test_a_list_that_still_has_what_the_single_number_denies_proves_nothing(
    desk: Desk, sandbox: Any, owned: OwnedNumber
):
    item = desk.approved_cancel(owned)
    sandbox.fault("cancel", "drop")
    sandbox.fault("get", "status", status=404, skip=1, times=-1)
    assert desk.carry_out(item).state == "unknown"
    owned.refresh_from_db()
    assert owned.status == Status.OWNED


# The proof -------------------------------------------------------------------------------------------------------

AT = "2026-10-13T09:{}:00+00:00"


@pytest.mark.parametrize(
    ("looks", "proved"),
    [
        ("", False),
        ("N", False),
        ("NN", True),
        ("N.N", True),
        ("NGN", False),
        ("NGNN", True),
        ("GN", False),
        ("NNG", False),
        ("..", False),
        ("GG", False),
    ],
)
def test_what_proves_that_nothing_was_bought(looks: str, proved: bool):
    """N: not ours and for sale. G: gone from sale. A point: no answer. A minute apart."""
    words = {"N": ("no", "yes"), "G": ("no", "no"), ".": ("no_answer", "no_answer")}
    told = [
        {"at": AT.format(f"{minute:02}"), "owned": words[look][0], "for_sale": words[look][1]}
        for minute, look in enumerate(looks)
    ]
    item = OrderItem(kind="purchase", number=NUMBER, country=OFFER.country)
    assert proves_not_done(item, told) is proved
    item.shared = True
    assert proves_not_done(item, told) is False


def test_two_looks_too_close_prove_nothing(unknown: OrderItem, desk: Desk):
    for _ in range(3):
        desk.clock.on(10)
        settle_item(item_id=unknown.pk, provider=desk.provider, clock=desk.clock, at_once=True)
    assert again(unknown).state == "unknown"


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
