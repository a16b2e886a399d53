"""Two at once at one month: it is closed once, and nothing is posted while it is being closed.

Each race has its control, which shows that the race is really run: without the turn both come through.
"""

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection

from numbersadmin.costs import closing, late, services
from numbersadmin.costs.ledger import statement
from numbersadmin.costs.models import LedgerLine, MonthClose, Origin
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject
from numbersadmin.costs.selectors import records
from numbersadmin.money import Totals
from tests.costs.conftest import Story, at
from tests.orders.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
NOW = at("2026-11-20 12:00")
OCTOBER = Month.parse("2026-10")
only_postgres = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="on SQLite one write waits for the other, with or without a turn"
)


@pytest.fixture
def october(cast: Any) -> dict[str, Any]:
    """A month with one number, to be closed by these people."""
    story = Story()
    story.listed("2026-10-01 12:00", "2026-11-19")
    story.found("447860041117", "2026-10-01 12:00", "5")
    return {
        "shown": closing.review(records(NOW), OCTOBER, NOW).figures.facts,
        "actor": cast.finance,
        "now": NOW,
    }


def close(october: dict[str, Any]) -> MonthClose:
    return closing.close(month=OCTOBER, **october)


def test_two_people_close_a_month_once(october):
    results = at_once(lambda: close(october), lambda: close(october))
    assert sorted(type(one).__name__ for one in results) == ["AlreadyClosed", "MonthClose"]
    assert (MonthClose.objects.count(), LedgerLine.objects.count()) == (1, 1)


@only_postgres
def test_without_the_turn_both_begin_to_close(october, monkeypatch):
    meeting = threading.Barrier(2)
    monkeypatch.setattr(closing, "take_turn", lambda month: meeting.wait(5))
    results = at_once(lambda: close(october), lambda: close(october))
    assert any(isinstance(one, IntegrityError) for one in results), results


def close_while_posting(october: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A correction is posted when a close has read every line and not yet ended, if it can be."""
    read, posted = threading.Event(), threading.Event()

    def reading(known: Any, month: Month) -> Any:
        yield from statement(known, month)
        read.set()
        posted.wait(0.5)  # who has the turn need not wait for it

    def post() -> Any:
        assert read.wait(5)
        try:
            return services.post_correction(
                known=known,
                subject=Subject(None),
                amount=Decimal(1),
                currency="EUR",
                reason="Credit",
                actor=october["actor"],
                now=NOW,
            )
        finally:
            posted.set()

    known = records(NOW)
    monkeypatch.setattr(closing, "statement", reading)
    return at_once(lambda: close(october), post)


def as_posted() -> Totals:
    rows = LedgerLine.objects.filter(month=str(OCTOBER))
    return Totals.of(rows.values_list("currency", "amount"))


def test_nothing_is_posted_while_a_month_is_being_closed(october, monkeypatch):
    closed, refused = close_while_posting(october, monkeypatch)
    assert isinstance(refused, services.CannotCorrect)
    assert dict(as_posted()) == {"EUR": Decimal(5)} == dict(closing.totals_in(closed.totals))
    assert closing.verify(OCTOBER) == {1: True}


@only_postgres
def test_without_the_turn_a_correction_slips_into_the_closed_month(october, monkeypatch):
    for module in (closing, services):
        monkeypatch.setattr(module, "take_turn", lambda month: None)
    closed, _ = close_while_posting(october, monkeypatch)
    assert dict(as_posted()) != dict(closing.totals_in(closed.totals))
    assert closing.verify(OCTOBER) == {1: False}


@pytest.fixture
def gone(october) -> Any:
    """October is closed; its number was gone before it, as is known by now."""
    close(october)
    story = Story()
    owned = LedgerLine.objects.get().owned_number
    story.gone(owned, "2026-09-30", "2026-11-05")
    (proposal,) = late.proposals(records(NOW))
    return proposal


def test_two_people_post_a_late_fact_once(gone, cast):
    known, who = records(NOW), cast.finance
    results = at_once(*[lambda: late.post(known=known, mark=gone.mark, actor=who, now=NOW)] * 2)
    assert sorted(type(one).__name__ for one in results) == ["CannotCorrect", "int"]
    assert LedgerLine.objects.filter(origin=Origin.LATE).count() == 1


def test_without_its_place_a_late_fact_is_posted_twice(gone, cast):
    """What keeps a late fact from being posted twice is its place: a correction without one comes through twice."""
    known, who = records(NOW), cast.finance
    correction = services.Correction(
        subject=gone.subject, amount=gone.amount, currency="EUR", reason=gone.why, corrects=gone.month
    )
    results = at_once(
        *[
            lambda: services.post_corrections(
                known=known, corrections=[correction], origin=Origin.MANUAL, actor=who, now=NOW
            )
        ]
        * 2
    )
    assert [type(one).__name__ for one in results] == ["list", "list"]
    assert LedgerLine.objects.filter(corrects="2026-10").count() == 2
