"""A run, a person and an import write at the same moment, on PostgreSQL: nobody is overwritten, nobody stuck.

Each has its control, which shows that the moment is really met.
"""

from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from numbersadmin.audit.models import AuditEvent
from numbersadmin.numbers import bulk_applying, bulk_planning
from numbersadmin.numbers import services as numbers
from numbersadmin.numbers.models import BulkChange, BulkKind, BulkState, EndBasis, OwnedNumber, Status
from numbersadmin.sync import deciding, drift, presence
from numbersadmin.sync.models import Decision, Drift, DriftKind, DriftQuerySet, RunStatus, SyncRun
from tests.sync.conftest import Mirror
from tests.sync.meeting import in_the_midst

pytestmark = [
    pytest.mark.skipif(connection.vendor == "sqlite", reason="there one writes after the other"),
    pytest.mark.django_db(transaction=True),
]
NUMBERS = [f"44770090000{n}" for n in range(4)]


# A person decides what the sweep is about to close ---------------------------------------------------------------


def accept_while_it_is_closed(mirror: Mirror, cast: Any) -> tuple[list[Any], Drift]:
    """A price changed, then the number ended: no question any more, and somebody answers it all the same."""
    mirror.stock(NUMBERS[0])
    mirror.sync()
    mirror.outside("change", NUMBERS[0], set={"pricePerMonth": "6"})
    mirror.next_sync()
    owned, now, person = mirror.owned(NUMBERS[0]), mirror.now, cast.finance
    numbers.end_number(
        owned=owned, basis=EndBasis.CANCELLED_HERE, ended_from=None, ended_to=now, actor=None, now=now
    )
    [told] = Drift.objects.undecided()

    def accept() -> None:
        with transaction.atomic():
            deciding.accept(actor=person, drifts=[told], note="As in the contract", now=now)

    results = in_the_midst(accept, lambda: drift.close_moot(now=now), after='UPDATE "sync_drift"')
    told.refresh_from_db()
    return results, told


def test_a_decision_made_while_it_is_closed_stands(mirror: Mirror, cast: Any):
    results, told = accept_while_it_is_closed(mirror, cast)
    assert results == [None, 0]
    assert (told.decision, told.decided_by, told.note) == (
        Decision.ACCEPTED,
        cast.finance,
        "As in the contract",
    )


def test_without_the_condition_the_decision_would_be_overwritten(
    mirror: Mirror, cast: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(DriftQuerySet, "undecided", lambda self: self.all())
    results, told = accept_while_it_is_closed(mirror, cast)
    assert results == [None, 1]
    assert (told.decision, told.decided_by) == (Decision.OVER, None)
    assert AuditEvent.objects.filter(verb="number.accepted", actor=cast.finance).exists()


# A run finds what a person is about to give up -------------------------------------------------------------------


def give_up_while_it_is_found(mirror: Mirror, cast: Any) -> Any:
    """A missing number is on the list again; what the person who marks it as cancelled is told."""
    number, finance = NUMBERS[0], cast.finance
    mirror.stock(*NUMBERS)
    mirror.sync()
    numbers.mark_missing(owned=mirror.owned(number), now=mirror.now)
    told = Drift.objects.create(
        kind=DriftKind.MISSING,
        owned_number=mirror.owned(number),
        run=SyncRun.objects.get(),
        created_at=mirror.now,
        told_at=mirror.now,
    )
    run, error = in_the_midst(
        mirror.next_sync,
        lambda: deciding.confirm_gone(actor=finance, drifts=[told], note="Invoice of May", now=mirror.now),
        after='UPDATE "numbers_ownednumber"',
    )
    return run if isinstance(run, Exception) else error


def test_of_a_run_and_a_person_the_second_is_told_who_was_first(mirror: Mirror, cast: Any):
    told = give_up_while_it_is_found(mirror, cast)
    assert isinstance(told, deciding.CannotDecide)
    assert str(told).startswith("A sync was first at")
    assert mirror.owned(NUMBERS[0]).status == Status.OWNED


def test_with_the_difference_before_the_number_they_would_wait_for_each_other(
    mirror: Mirror, cast: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(deciding, "_take", lambda owned: None)
    told = give_up_while_it_is_found(mirror, cast)
    assert isinstance(told, OperationalError)
    assert "deadlock" in str(told)


# A run and an import change the same numbers ---------------------------------------------------------------------


def sync_while_a_file_is_done(mirror: Mirror, cast: Any) -> list[Any]:
    """The list has the numbers in another order than we do, and so has the file's groups of equal changes."""
    for number in reversed(NUMBERS):
        mirror.stock(number)
        mirror.next_sync()
    for number in NUMBERS[:3]:
        mirror.outside("change", number, set={"pricePerMonth": "6"})
    mirror.later()
    centres = dict(zip(NUMBERS, ("Ends", "Middle", "Middle", "Ends"), strict=True))
    change = BulkChange(kind=BulkKind.IMPORT, actor=cast.approver, created_at=mirror.now)
    rows = ((row, {"cost_centre": centres[row.number]}, None) for row in OwnedNumber.objects.order_by("pk"))
    bulk_planning.plan(change=change, rows=rows, now=mirror.now)
    bulk_applying.confirm(actor=cast.approver, change=change, reason="", now=mirror.now)
    return in_the_midst(
        mirror.sync,
        lambda: bulk_applying.carry_out(change_id=change.pk, clock=mirror.clock),
        after='UPDATE "numbers_ownednumber"',
    )


def test_a_run_and_an_import_of_the_same_numbers_both_come_through(mirror: Mirror, cast: Any):
    run, nothing = sync_while_a_file_is_done(mirror, cast)
    assert (run.status, run.changed, nothing) == (RunStatus.COMPLETE, 3, None)
    assert BulkChange.objects.get().state == BulkState.DONE
    rows = OwnedNumber.objects.order_by("pk").values_list("cost_centre", "price_per_month")
    assert [(centre, int(price)) for centre, price in rows] == [
        ("Ends", 5),
        ("Middle", 6),
        ("Middle", 6),
        ("Ends", 6),
    ]


@pytest.mark.parametrize("careless", ["run", "import"])
def test_in_another_order_they_would_wait_for_each_other(
    mirror: Mirror, cast: Any, monkeypatch: pytest.MonkeyPatch, careless: str
):
    if careless == "run":
        monkeypatch.setattr(presence, "sorted", lambda rows, key: rows, raising=False)
    else:
        monkeypatch.setattr(bulk_applying, "take", lambda ids: OwnedNumber.objects.filter(pk__in=list(ids)))
    results = sync_while_a_file_is_done(mirror, cast)
    [stuck] = [each for each in results if isinstance(each, Exception)]
    assert isinstance(stuck, OperationalError)
    assert "deadlock" in str(stuck)
