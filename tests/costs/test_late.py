"""What is learned after a month was closed: proposed as corrections, posted once, and nothing closed ever changes."""

import contextlib
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numbersadmin.costs import closing, late, waiving
from numbersadmin.costs.ledger import computed, statement
from numbersadmin.costs.models import LedgerLine, MonthClose, Origin
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject, held_between
from numbersadmin.costs.selectors import records
from numbersadmin.costs.services import CannotCorrect, post_correction
from numbersadmin.money import ZERO, prorate
from numbersadmin.numbers.models import EndBasis, OwnedNumber
from numbersadmin.numbers.services import NumberHasMoved, assign
from numbersadmin.numbers.stating import NotPossible, state_acquired, take_back
from tests.costs.conftest import Story, at

pytestmark = pytest.mark.usefixtures("november")
NOW = at("2026-11-20 12:00")
SEPTEMBER, OCTOBER = Month.parse("2026-09"), Month.parse("2026-10")
LATER = at("2026-12-20 12:00")


def close_both(cast, now=NOW):
    for month in (SEPTEMBER, OCTOBER):
        shown = closing.review(records(now), month, now).figures.facts
        closing.close(month=month, shown=shown, actor=cast.finance, now=now)


def proposed(now=NOW):
    return [(str(p.month), p.subject.number, p.amount, p.currency) for p in late.proposals(records(now))]


def post_all(cast, now=NOW):
    known = records(now)
    return late.post(known=known, mark=late.mark_of(late.proposals(known)), actor=cast.finance, now=now)


# One case each ------------------------------------------------------------------------------------------------------


@pytest.fixture
def closed(story, cast):
    """September and October are closed, on 2 November, with three numbers of 5 EUR since records began."""
    story.listed("2026-09-01 12:00", "2026-11-02")
    numbers = [story.found(f"44786004111{digit}", "2026-09-01 12:00", "5") for digit in "123"]
    close_both(cast)
    assert proposed() == []
    return numbers


def test_bought_in_a_month_that_is_closed(closed, story, cast):
    """Rule 4 of docs/costs.md: first month 1.451613 of 15 fits 29 October."""
    story.found("79029555551", "2026-11-03", "15", after="2026-10-28", initial="1.451613")
    (found,) = late.proposals(records(NOW))
    assert (found.month, found.amount, found.posted) == (OCTOBER, Decimal("1.451613"), 0)
    assert found.why == "It was on the list for the first time. Recorded on 3 Nov 2026."
    post_all(cast)
    posted = LedgerLine.objects.get(origin=Origin.LATE)
    assert (posted.month, posted.corrects, posted.amount) == ("2026-11", "2026-10", Decimal("1.451613"))
    assert (posted.sequence, posted.note) == (1, found.why)
    assert proposed() == []


def test_gone_before_a_month_that_is_closed(closed, story):
    story.gone(closed[0], "2026-09-30", "2026-11-05")
    assert proposed() == [("2026-10", closed[0].number, Decimal(-5), "EUR")]


def test_gone_and_back_after_the_months_were_closed_without_it(story, cast):
    story.listed("2026-09-01 12:00", "2026-11-02")
    owned = story.found("447860041117", "2026-09-01 12:00", "5")
    story.gone(owned, "2026-09-20", "2026-11-01 02:00")
    close_both(cast)
    story.back(owned, "2026-11-05", "5")
    assert proposed() == [("2026-10", "447860041117", Decimal(5), "EUR")]


def test_a_price_seen_more_than_a_month_after_it_may_have_changed(closed, story):
    story.changed(closed[0], "2026-11-03", "7", after="2026-09-30 23:00")
    assert proposed() == [("2026-10", closed[0].number, Decimal(2), "EUR")]


def test_a_day_that_is_entered_and_taken_back(story, cast):
    """Absent on 28 September, seen on 3 October, no first month stated: entered as 29 September."""
    story.listed("2026-09-01 12:00", "2026-11-02")
    owned = story.found("447860041117", "2026-10-03", "15", after="2026-09-28")
    close_both(cast)
    state_acquired(actor=cast.finance, owned=owned, day=at("2026-09-29").date(), note="Mail", now=NOW)
    assert proposed() == [("2026-09", "447860041117", Decimal("1"), "EUR")]
    post_all(cast)
    assert proposed() == []
    take_back(actor=cast.finance, owned=owned, reason="Wrong mail", now=NOW)
    assert proposed() == [("2026-09", "447860041117", Decimal("-1"), "EUR")]
    assert late.proposals(records(NOW))[0].sequence == 2


def test_what_changes_no_closed_month_is_no_candidate(closed, story, cast):
    story.changed(closed[0], "2026-11-10", "7", after="2026-11-09")
    story.cancelled(closed[1], "2026-11-11")
    story.found("79029555551", "2026-11-03", "15", after="2026-11-02")
    assign(actor=cast.finance, numbers=[closed[2]], now=NOW, cost_centre="CC-9")
    assert late.candidates(records(NOW)) == set()


# Beside what people said --------------------------------------------------------------------------------------------


def subject_of(owned) -> Subject:
    return next(one.subject for one in statement(records(NOW), SEPTEMBER) if one.subject.id == owned.pk)


def test_what_people_corrected_is_no_difference_and_is_told(closed, story, cast):
    post_correction(
        known=records(NOW),
        subject=subject_of(closed[0]),
        amount=Decimal(-1),
        currency="EUR",
        reason="Credit note 7",
        corrects=OCTOBER,
        actor=cast.finance,
        now=NOW,
    )
    assert proposed() == []
    story.gone(closed[0], "2026-09-30", "2026-11-05")
    (found,) = late.proposals(records(NOW))
    assert (found.amount, found.beside) == (Decimal(-5), Decimal(-1))


@pytest.mark.parametrize("frozen", [False, True])
def test_a_price_that_people_told_does_not_count_twice(story, cast, frozen):
    """Not stated in September; told by finance; then read, from a time when September had not begun."""
    story.listed("2026-08-20", "2026-11-02")
    owned = story.found("447860041117", "2026-08-20", None)
    if frozen:
        waive_august(owned, cast)
    month = SEPTEMBER if frozen else Month.parse("2026-08")
    known = records(NOW)
    (found,) = waiving.unpriced(known, month)
    waiving.say_cost(
        known=known,
        month=month,
        subject=found.line.subject,
        owned=owned,
        amount=Decimal(4),
        currency="EUR",
        reason="Invoice 8",
        actor=cast.finance,
        now=NOW,
    )
    if frozen:
        closing.close(
            month=month, shown=closing.review(known, month, NOW).figures.facts, actor=cast.finance, now=NOW
        )
    assert proposed() == []
    state = {"valid_from": at("2026-08-20"), "price_per_month": Decimal(5), "currency": "EUR"}
    owned.versions.update(**state | {"setup_price": ZERO})  # as if it had been stated all along
    told = Decimal(1) if frozen else Decimal(-4)
    assert [(p.month, p.amount) for p in late.proposals(records(NOW)) if p.month == month] == [(month, told)]


def waive_august(owned, cast):
    august = Month.parse("2026-08")
    waiving.waive(month=august, owned=owned, reason="Before the contract", actor=cast.finance, now=NOW)
    shown = closing.review(records(NOW), august, NOW).figures.facts
    closing.close(month=august, shown=shown, actor=cast.finance, now=NOW)


def test_a_price_that_is_unknown_by_now_is_no_difference(closed, story):
    story.changed(closed[0], "2026-11-10", None, after="2026-09-15")
    assert proposed() == []


# Posting ------------------------------------------------------------------------------------------------------------


def test_one_is_posted_by_itself_and_once(closed, story, cast):
    story.gone(closed[0], "2026-09-30", "2026-11-05")
    story.gone(closed[1], "2026-09-30", "2026-11-05")
    known = records(NOW)
    first, second = late.proposals(known)
    late.post(known=known, mark=first.mark, actor=cast.finance, now=NOW)
    assert late.proposals(known) == [second]
    with pytest.raises(CannotCorrect, match="Look again"):
        late.post(known=known, mark=first.mark, actor=cast.finance, now=NOW)
    with pytest.raises(CannotCorrect, match="Look again"):
        late.post(known=known, mark=late.mark_of([first, second]), actor=cast.finance, now=NOW)
    assert LedgerLine.objects.filter(origin=Origin.LATE).count() == 1


# Whatever happens ---------------------------------------------------------------------------------------------------

DAYS = st.integers(1, 70)
ACTS = st.sampled_from(["price", "gone", "back", "found", "state", "take_back", "assign", "correct"])


@dataclass(frozen=True)
class Act:
    """Something that happens: what, to which number, how far back it reaches, and a figure."""

    what: str
    which: int
    back: int
    price: int


HISTORY = st.lists(st.builds(Act, ACTS, st.integers(0, 5), DAYS, st.integers(0, 4)), min_size=1, max_size=8)


def live(story: Story, cast, acts: list[Act], begin, now) -> None:
    """Let these happen one after another, some hours apart, from `begin` on."""
    moment = begin
    for act in acts:
        moment += timedelta(hours=29)
        numbers = list(OwnedNumber.objects.order_by("id"))
        owned = numbers[act.which % len(numbers)] if numbers else None
        after, when = str(moment - timedelta(days=act.back))[:19], str(moment)[:19]
        price = str(act.price * 3) if act.price else None
        if act.what == "found" or owned is None:
            share = str(prorate(Decimal(act.price * 3), 1 + act.back % 28, 30)) if act.price > 2 else None
            story.found(f"4478600{moment:%m%d%H}", when, price, after=after, initial=share)
        elif act.what == "price":
            story.changed(owned, when, price, after=after)
        elif act.what == "gone":
            story.gone(owned, after, when, EndBasis.DISAPPEARED)
        elif act.what == "back":
            story.back(owned, when, price or "3")
        elif act.what == "assign":
            with contextlib.suppress(NumberHasMoved):
                assign(
                    actor=cast.finance,
                    numbers=[owned],
                    now=moment,
                    cost_centre=f"CC-{act.back}",
                    labels=["a"],
                )
        elif act.what == "correct":
            corrected(cast, owned, act, now)
        else:
            stated(cast, owned, act, moment)


def stated(cast, owned, act, moment) -> None:
    with contextlib.suppress(NotPossible):
        if act.what == "take_back":
            take_back(actor=cast.finance, owned=owned, reason="Wrong", now=moment)
        else:
            day = (owned.acquired_to - timedelta(days=act.back % 40)).date()
            state_acquired(actor=cast.finance, owned=owned, day=day, note="Mail", now=moment)


def corrected(cast, owned, act, now) -> None:
    known = records(now)
    about = known.to_close.plus(-(act.back % 3)) if known.to_close else None
    subject = Subject(owned.pk, owned.number_key, owned.number)
    with contextlib.suppress(CannotCorrect):
        post_correction(
            known=known,
            subject=subject,
            amount=Decimal(act.price - 2),
            currency="EUR",
            reason="Credit",
            corrects=about if about and known.on_record(about) else None,
            actor=cast.finance,
            now=now,
        )


@given(before=HISTORY, after=HISTORY)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_closed_months_stay_and_what_differs_is_proposed(story, cast, before, after):
    """Invariants 11, 12 and 13 of the cost model, and that no number but a candidate ever differs."""
    assert cast.finance.can("costs.close")  # is there before the examples, which are rolled back
    with transaction.atomic():
        story.listed("2026-09-01 12:00", "2026-11-19 00:00", "2026-12-19")
        story.found("4900000", "2026-09-01 12:00", "5")
        live(story, cast, before, at("2026-09-10"), NOW)
        for owned in OwnedNumber.objects.all():
            for month in (SEPTEMBER, OCTOBER):
                waiving.waive(month=month, owned=owned, reason="Unknown", actor=cast.finance, now=NOW)
        close_both(cast)
        was = [(row.totals, row.sha256) for row in MonthClose.objects.order_by("id")]
        lines = [list(statement(records(NOW), month)) for month in (SEPTEMBER, OCTOBER)]
        live(story, cast, after, at("2026-11-20"), LATER)
        known = records(LATER)
        check_proposals(known)
        if late.proposals(known):
            post_all(cast, LATER)
        assert late.proposals(known) == []
        assert [(row.totals, row.sha256) for row in MonthClose.objects.order_by("id")] == was
        assert [list(statement(known, month)) for month in (SEPTEMBER, OCTOBER)] == lines
        assert closing.verify(SEPTEMBER) == closing.verify(OCTOBER) == {1: (True, True)}
        transaction.set_rollback(True)


def check_proposals(known) -> None:
    """Those of the candidates are those of all numbers, and they are the whole difference."""
    everyone = set(OwnedNumber.objects.values_list("id", flat=True))
    found = late.proposals(known)
    assert found == late.proposals(known, among=everyone)
    differs = {(one.month, one.subject.id, one.currency): one.amount for one in found}
    for month in (SEPTEMBER, OCTOBER):
        now: dict = {}
        unknown = set()
        held = held_between(month, month, known.calendar, known.listed)
        for entry in computed(held, month, known.calendar):
            if entry.charge.amount is None:
                unknown.add(entry.subject.id)
            else:
                key = (month, entry.subject.id, entry.charge.currency)
                now[key] = now.get(key, ZERO) + entry.charge.amount
        rows = LedgerLine.objects.filter(origin=Origin.CLOSE, month=str(month))
        for number, currency, amount in rows.values_list("owned_number_id", "currency", "amount"):
            if amount is not None:
                now[month, number, currency] = now.get((month, number, currency), ZERO) - amount
        expected = {key: amount for key, amount in now.items() if amount and key[1] not in unknown}
        assert {
            key: amount for key, amount in differs.items() if key[0] == month and key[1] not in unknown
        } == expected
