"""Unknown outcomes: looked for until something is proved, and adopted when they show up late."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.orders import execution, recording, services
from numbersadmin.orders.adopting import adopt_cancelled
from numbersadmin.orders.errors import Moved
from numbersadmin.orders.lookups import find_owned
from numbersadmin.orders.models import OrderItem, ProviderAttempt
from numbersadmin.orders.settling import proves_not_done, settle_item
from tests.orders.desk import KEY, NUMBER, OFFER, Clock, Desk, again

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


class Meanwhile:
    """A provider of which the purchased list is read late: something happens before it answers."""

    def __init__(self, provider: Any, act: Callable[[], None]) -> None:
        self._provider, self._acts = provider, [act]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def list_owned(self, **asked: Any) -> Any:
        while self._acts:
            self._acts.pop()()
        return self._provider.list_owned(**asked)


def test_a_look_gives_nobody_what_another_order_bought_meanwhile(desk: Desk, sandbox: Any, bought_here: Any):
    """A refused worker sleeps before its look; by then its order has failed, and another one has bought it."""
    item = desk.approved()
    attempt = execution.claim(item, now=desk.clock(), number_key=KEY)
    sandbox.fault("purchase", "status", status=400)
    result = execution.send(item, attempt, desk.provider)

    def meanwhile() -> None:
        for seconds in (31, 60):
            desk.clock.on(seconds)
            desk.sweep()
        assert again(item).failure == "not_bought"
        assert desk.carry_out(desk.approved()).state == "done"

    execution.record(item, attempt, result, Meanwhile(desk.provider, meanwhile), desk.clock)
    assert (again(item).state, again(item).failure) == ("failed", "not_bought")
    assert len(bought_here()) == OwnedNumber.objects.count() == 1


def test_what_one_order_bought_is_never_given_to_a_second(unknown: OrderItem, desk: Desk, sandbox: Any):
    """Neither by a look from before, nor by the database."""
    desk.clock.on(60)
    desk.sweep(at_once=True)
    first = desk.carry_out(desk.approved())
    attempt = ProviderAttempt.objects.get(item=unknown)
    [facts] = find_owned(desk.provider, OFFER, wait=1)
    with pytest.raises(Moved, match="Another order"):
        recording.bought(again(unknown), attempt, facts, now=desk.clock(), note="settled")
    same = OrderItem.objects.filter(pk=unknown.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        same.update(state="done", owned_number=first.owned_number)
    assert again(unknown).state == "failed"


# Cancelling ------------------------------------------------------------------------------------------------------


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


def test_what_is_found_late_is_ours_since_some_moment_between(desk: Desk, sandbox: Any):
    item = desk.approved()
    sandbox.fault("purchase", "drop", act=True)
    sandbox.fault("list_owned", "garbage", times=-1)
    desk.carry_out(item)
    sandbox.api("faults", method="DELETE")
    sent = ProviderAttempt.objects.get().started_at
    desk.clock.on(7200)
    desk.sweep()
    owned = again(item).owned_number
    assert (owned.acquired_at, owned.acquired_from, owned.acquired_to) == (None, sent, desk.clock())


def test_what_somebody_else_settles_between_two_readings_is_let_be(unknown: OrderItem, desk: Desk):
    """A sweep that read an item as unknown, and then finds no such call any more, goes on with the others."""

    class SettledMeanwhile(Clock):
        def __call__(self) -> datetime:
            unknown.attempts.update(outcome="ok")
            return super().__call__()

    clock = SettledMeanwhile(desk.clock.on(60))
    assert settle_item(item_id=unknown.pk, provider=desk.provider, clock=clock) is None


@pytest.fixture
def shared_and_ours(desk: Desk, sandbox: Any) -> OwnedNumber:
    """A shared number, bought here: it stays for sale, and keeps its key."""
    sandbox.reset()
    sandbox.switch(key_changes_on_purchase=False)
    sandbox.stock(available=[{"number": NUMBER, "numberKey": KEY, "country": "RU", "shared": True}])
    owned = desk.carry_out(desk.approved()).owned_number
    assert owned
    return owned


def test_nothing_is_bought_under_a_key_whose_cancellation_is_unknown(
    shared_and_ours: OwnedNumber, desk: Desk, sandbox: Any
):
    """Two calls at once would be told apart by no look."""
    sandbox.fault("cancel", "drop", act=True)
    cancel = desk.carry_out(desk.approved_cancel(shared_and_ours))
    second = desk.carry_out(desk.approved())
    assert (cancel.state, second.state, posts(sandbox)) == ("unknown", "approved", 1)
    for _ in range(3):
        desk.clock.on(61)
        desk.sweep(at_once=True)
    assert (again(cancel).state, again(second).state, posts(sandbox)) == ("done", "done", 2)
    assert OwnedNumber.objects.filter(number=NUMBER).count() == 2


def test_nothing_is_bought_under_a_key_that_is_ours(shared_and_ours: OwnedNumber, desk: Desk, sandbox: Any):
    second = desk.carry_out(desk.approved())
    assert (second.state, second.failure, posts(sandbox)) == ("failed", "already_owned", 1)


def test_a_key_that_is_still_open_in_our_records_is_bought_once_a_sync_has_ended_it(
    shared_and_ours: OwnedNumber, desk: Desk, sandbox: Any
):
    """The cancellation was carried out after two looks had found nothing: our records do not know of it yet."""
    sandbox.switch(late_apply_seconds=180)
    sandbox.fault("cancel", "drop", act=False)
    cancel = desk.carry_out(desk.approved_cancel(shared_and_ours))
    for _ in range(2):
        sandbox.clock(desk.clock.on(61))
        desk.sweep(at_once=True)
    assert again(cancel).failure == "not_cancelled"
    sandbox.clock(desk.clock.on(120))
    second = desk.carry_out(desk.approved())
    assert (second.state, posts(sandbox)) == ("approved", 1)
    assert adopt_cancelled(owned=shared_and_ours, now=desk.clock())
    desk.clock.on(61)
    desk.sweep(at_once=True)
    assert (again(cancel).state, again(second).state, posts(sandbox)) == ("done", "done", 2)
    assert again(second).owned_number_id != shared_and_ours.pk
