"""Carrying out cancellations: sent once, and a number is called cancelled only when it is."""

from typing import Any

import pytest

from numbersadmin.numbers.models import OwnedNumber, Status
from tests.orders.desk import NUMBER, Desk, again

pytestmark = pytest.mark.django_db


def deletes(sandbox: Any) -> int:
    return len(sandbox.requests("cancel"))


def outside(sandbox: Any, act: str, number: str = NUMBER, **more: Any) -> None:
    sandbox.api("outside", {"act": act, "number": number, **more})


def test_an_approved_cancellation_is_sent_once(desk: Desk, sandbox: Any, owned: OwnedNumber):
    item = desk.approved_cancel(owned)
    for _ in range(3):
        assert desk.carry_out(item).state == "done"
    owned.refresh_from_db()
    assert (owned.status, owned.end_basis, owned.ended_to) == (Status.ENDED, "cancelled_here", desk.clock())
    assert [act["number_key"] for act in sandbox.acts("cancel")] == ["OWNED1"]
    assert deletes(sandbox) == 1
    assert owned.versions.get().valid_to == desk.clock()


def test_a_key_that_stands_for_another_number_cancels_nothing(desk: Desk, sandbox: Any, owned: OwnedNumber):
    item = desk.approved_cancel(owned)
    outside(sandbox, "change", owned.number, set={"number": "447860041999"})
    item = desk.carry_out(item)
    assert (item.state, item.failure, deletes(sandbox)) == ("failed", "key_mismatch", 0)
    owned.refresh_from_db()
    assert owned.status == Status.OWNED


def test_a_number_under_another_key_is_not_cancelled(desk: Desk, sandbox: Any, owned: OwnedNumber):
    item = desk.approved_cancel(owned)
    outside(sandbox, "change", owned.number, set={"numberKey": "OWNED2"})
    item = desk.carry_out(item)
    assert (item.state, item.failure, deletes(sandbox)) == ("failed", "key_mismatch", 0)


@pytest.mark.parametrize("key", [".", ".."])
def test_a_key_that_cannot_be_part_of_an_address_is_never_sent(desk: Desk, sandbox: Any, key: str):
    sandbox.stock(owned=[{"numberKey": key, "number": "4930111", "country": "DE"}])
    item = desk.carry_out(desk.approved_cancel(desk.own(key, "4930111")))
    assert (item.state, item.failure, deletes(sandbox)) == ("failed", "key_unusable", 0)


def test_what_was_gone_already_is_done_and_says_so(desk: Desk, sandbox: Any, owned: OwnedNumber):
    item = desk.approved_cancel(owned)
    outside(sandbox, "cancel", owned.number)
    item = desk.carry_out(item)
    assert (item.state, item.note, deletes(sandbox)) == ("done", "already_gone", 0)
    owned.refresh_from_db()
    assert (owned.status, owned.end_basis) == (Status.ENDED, "disappeared")


def test_gone_between_the_check_and_the_delete(desk: Desk, sandbox: Any, owned: OwnedNumber):
    item = desk.approved_cancel(owned)
    outside(sandbox, "cancel", owned.number, after={"endpoint": "get", "calls": 1})
    item = desk.carry_out(item)
    assert (item.state, item.note, deletes(sandbox)) == ("done", "already_gone", 1)


def test_a_404_for_a_number_that_is_still_ours_cancels_nothing(desk: Desk, sandbox: Any, owned: OwnedNumber):
    item = desk.approved_cancel(owned)
    sandbox.fault("cancel", "status", status=404)
    item = desk.carry_out(item)
    assert item.state == "unknown"
    desk.clock.on(60)
    desk.sweep()
    item = again(item)
    assert (item.state, item.failure, deletes(sandbox)) == ("failed", "not_cancelled", 1)
    owned.refresh_from_db()
    assert owned.status == Status.OWNED


def test_a_404_for_a_number_that_was_bought_here_cancels_nothing_either(desk: Desk, sandbox: Any):
    owned = desk.carry_out(desk.approved()).owned_number
    desk.clock.on(3600)
    item = desk.approved_cancel(owned)
    sandbox.fault("cancel", "status", status=404)
    assert desk.carry_out(item).state == "unknown"
    owned.refresh_from_db()
    assert owned.status == Status.OWNED


def test_a_number_too_new_to_be_listed_is_not_called_gone(desk: Desk, sandbox: Any):
    """Bought a moment ago, it may be in no list yet: that is no proof that somebody cancelled it."""
    sandbox.switch(read_lag_seconds=100)
    owned = desk.carry_out(desk.approved()).owned_number
    item = desk.carry_out(desk.approved_cancel(owned))
    assert (item.state, deletes(sandbox)) == ("approved", 0)
    sandbox.clock(desk.clock.on(101))
    assert desk.carry_out(item).state == "done"
    assert deletes(sandbox) == 1


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_cancellation_fails(desk: Desk, sandbox: Any, owned: OwnedNumber, status: int):
    item = desk.approved_cancel(owned)
    sandbox.fault("cancel", "status", status=status)
    assert desk.carry_out(item).state == "failed"
    owned.refresh_from_db()
    assert owned.status == Status.OWNED


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_refusal_is_not_believed_when_the_number_is_gone(
    desk: Desk, sandbox: Any, owned: OwnedNumber, status: int
):
    item = desk.approved_cancel(owned)
    sandbox.fault("cancel", "status", status=status, act=True)
    item = desk.carry_out(item)
    assert (item.state, item.failure) == ("done", "")
    owned.refresh_from_db()
    assert (owned.status, deletes(sandbox)) == (Status.ENDED, 1)


@pytest.mark.parametrize("act", [True, False])
@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("drop", {}),
        ("reset", {}),
        ("hang", {}),
        ("html", {"status": 502}),
        ("status", {"status": 500}),
        ("status", {"status": 504}),
        ("status", {"status": 200}),
        ("redirect", {}),
    ],
)
def test_an_unanswered_cancellation_is_looked_for_and_never_sent_again(
    desk: Desk, sandbox: Any, owned: OwnedNumber, kind: str, details: dict[str, Any], act: bool
):
    item = desk.approved_cancel(owned)
    sandbox.fault("cancel", kind, act=act, **details)
    item = desk.carry_out(item)
    assert (item.state, item.note) == (("done", "confirmed") if act else ("unknown", ""))
    owned.refresh_from_db()
    assert owned.status == (Status.ENDED if act else Status.OWNED)
    desk.clock.on(60)
    desk.sweep()
    item = again(item)
    assert (item.state, item.failure) == (("done", "") if act else ("failed", "not_cancelled"))
    owned.refresh_from_db()
    assert owned.status == (Status.ENDED if act else Status.OWNED)
    assert deletes(sandbox) == 1


def test_a_busy_provider_cancels_later(desk: Desk, sandbox: Any, owned: OwnedNumber):
    item = desk.approved_cancel(owned)
    sandbox.fault("cancel", "status", status=429)
    assert desk.carry_out(item).state == "approved"
    desk.clock.on(11)
    assert desk.carry_out(item).state == "done"
    assert len(sandbox.acts("cancel")) == 1
