"""Two at once at one month: it is closed once, and nothing is posted while it is being closed.

Each race has its control, which shows that the race is really run: without the turn both come through.
"""

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection

from numbersadmin.costs import closing, late, services
from numbersadmin.costs.corrected import as_corrected
from numbersadmin.costs.ledger import computed, statement
from numbersadmin.costs.models import LedgerLine, MonthClose, Origin
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject, held_between
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
    monkeypatch.setattr(closing, "take_turn", lambda month: meeting.wait(60))
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
        assert read.wait(60)
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
    assert closing.verify(OCTOBER) == {1: (True, True)}


@only_postgres
def test_without_the_turn_a_correction_slips_into_the_closed_month(october, monkeypatch):
    for module in (closing, services):
        monkeypatch.setattr(module, "take_turn", lambda month: None)
    closed, _ = close_while_posting(october, monkeypatch)
    assert dict(as_posted()) != dict(closing.totals_in(closed.totals))
    assert closing.verify(OCTOBER) == {1: (False, False)}


# A number that a sync adds at that moment ---------------------------------------------------------------------------

ADDED, FIRST_MONTH = "79029555551", Decimal("1.451613")  # rule 4 of docs/costs.md: October, from the 29th
MOMENTS = ["before it reads", "between versions and numbers", "after it has read"]


def close_while_adding(october: dict[str, Any], monkeypatch: pytest.MonkeyPatch, moment: str) -> Any:
    """A sync adds a number of October at this moment of a close, if it can; what became of the close."""
    reached, added = threading.Event(), threading.Event()

    def meet(at: str) -> None:
        if at == moment:
            reached.set()
            added.wait(0.5)  # on SQLite it waits for the close to end

    def asking(execute: Any, sql: str, *more: Any) -> Any:
        found = execute(sql, *more)
        if 'FROM "numbers_numberversion"' in sql:
            meet(MOMENTS[1])
        return found

    def reading(known: Any, month: Month) -> Any:
        meet(MOMENTS[0])
        with connection.execute_wrapper(asking):
            yield from statement(known, month)
        meet(MOMENTS[2])

    def add() -> None:
        assert reached.wait(60)
        try:
            Story().found(ADDED, "2026-11-03", "15", after="2026-10-28", initial=str(FIRST_MONTH))
        finally:
            added.set()

    monkeypatch.setattr(closing, "statement", reading)
    closed, nothing = at_once(lambda: close(october), add)
    assert (reached.is_set(), nothing) == (True, None)
    monkeypatch.setattr(closing, "statement", statement)
    return closed


def in_ledger() -> list[Decimal | None]:
    return list(LedgerLine.objects.filter(number=ADDED).values_list("amount", flat=True))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_number_added_during_a_close_is_in_it_or_proposed_and_counted_once(october, monkeypatch, moment):
    closed = close_while_adding(october, monkeypatch, moment)
    if isinstance(closed, closing.Moved):  # the close read it, and the person was shown figures without it
        figures = closing.review(records(NOW), OCTOBER, NOW).figures
        close(october | {"shown": figures.facts})
    proposed = late.proposals(records(NOW))
    assert [*in_ledger(), *(one.amount for one in proposed)] == [FIRST_MONTH]
    if proposed:
        late.post(known=records(NOW), mark=proposed[0].mark, actor=october["actor"], now=NOW)
    assert (in_ledger(), late.proposals(records(NOW))) == ([FIRST_MONTH], [])
    assert dict(as_corrected(records(NOW), OCTOBER)) == {"EUR": Decimal(5) + FIRST_MONTH}
    assert closing.verify(OCTOBER) == {1: (True, True)}


def test_without_late_facts_a_number_added_during_a_close_would_be_lost(october, monkeypatch):
    close_while_adding(october, monkeypatch, MOMENTS[2])
    held = held_between(OCTOBER, OCTOBER, records(NOW).calendar, records(NOW).listed)
    due = [one.charge.amount for one in computed(held, OCTOBER, records(NOW).calendar)]
    assert (due, in_ledger()) == ([Decimal(5), FIRST_MONTH], [])


@only_postgres
def test_a_close_that_reads_a_number_more_than_was_shown_is_refused(october, monkeypatch):
    assert isinstance(close_while_adding(october, monkeypatch, MOMENTS[0]), closing.Moved)


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
