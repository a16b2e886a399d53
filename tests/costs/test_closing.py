"""Closing: what stands against it, what is written, and that nothing which happens later changes it."""

from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from numbersadmin.audit import append_only
from numbersadmin.audit.models import AuditEvent
from numbersadmin.costs import checklist, closing, late, waiving
from numbersadmin.costs.checklist import Weight
from numbersadmin.costs.corrected import as_corrected
from numbersadmin.costs.ledger import State, statement
from numbersadmin.costs.lines import number_cost
from numbersadmin.costs.models import LedgerLine, MonthClose, Waiver
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject
from numbersadmin.costs.selectors import records
from numbersadmin.costs.services import CannotCorrect, post_correction
from numbersadmin.money import Totals
from numbersadmin.numbers.services import assign
from numbersadmin.orders.models import Order, OrderItem
from numbersadmin.orders.models import State as ItemState
from tests.costs.closed import digest_of
from tests.costs.conftest import at

pytestmark = pytest.mark.usefixtures("november")
NOW = at("2026-11-20 12:00")
SEPTEMBER, OCTOBER, NOVEMBER = (Month.parse(f"2026-{month:02}") for month in (9, 10, 11))


def shown(month):
    """The figures as the confirmation page shows them."""
    return closing.review(records(NOW), month, NOW).figures.facts


def close(cast, *months, **more):
    closed = None
    for month in months:
        closed = closing.close(
            **{"month": month, "shown": shown(month), "actor": cast.finance, "now": NOW} | more
        )
    return closed


def who(cast):
    return {"actor": cast.finance, "now": NOW}


def blocks(month):
    return [
        item.text for item in closing.review(records(NOW), month, NOW).items if item.weight is Weight.BLOCKS
    ]


def post(cast, amount="-1.5", **more):
    facts = {"subject": Subject(None), "currency": "EUR", "reason": "Credit note 7"}
    return post_correction(
        known=records(NOW), amount=Decimal(amount), actor=cast.finance, now=NOW, **facts | more
    )


# What is written ----------------------------------------------------------------------------------------------------


def test_a_closed_month_has_the_lines_it_had_open(two_months, cast):
    close(cast, SEPTEMBER)
    before = list(statement(records(NOW), OCTOBER))
    closed = close(cast, OCTOBER)
    known = records(NOW)
    after = list(statement(known, OCTOBER))
    assert [(one.charge, one.subject) for one in after] == [(one.charge, one.subject) for one in before]
    assert all(one.id for one in after)
    assert known.state(OCTOBER) is State.CLOSED
    assert closed.totals == {"EUR": "25.903226", "USD": "1.500000"}
    assert (closed.revision, closed.lines, closed.unpriced, closed.by) == (1, 4, 0, cast.finance)
    assert closed.sha256 == digest_of(before)
    assert closed.assumptions == {
        "BILLING_TIME_ZONE": "UTC",
        "PRICE_CHANGE": "NEXT_MONTH",
        "CANCELLATION": "NO_REFUND",
        "TODAY_IS_CHARGED": 1,
    }
    event = AuditEvent.objects.get(verb="cost.month_closed", subject_id=closed.pk)
    assert (event.after["sha256"], event.actor) == (closed.sha256, "finance")


def test_corrections_of_the_open_month_are_carried_and_not_copied(two_months, cast):
    post(cast)
    closed = close(cast, SEPTEMBER)
    assert closed.totals["EUR"] == "21.500000"
    assert (closed.lines, LedgerLine.objects.count()) == (4, 4)
    assert closing.verify(SEPTEMBER) == {1: (True, True)}


def test_a_number_that_moves_later_takes_no_closed_month_along(two_months, cast):
    close(cast, SEPTEMBER)
    assign(
        actor=cast.finance, numbers=[two_months["DE"]], now=NOW, owner=None, cost_centre="CC-9", labels=["x"]
    )
    (entry,) = [one for one in statement(records(NOW), SEPTEMBER) if one.subject.country == "DE"]
    assert (entry.subject.cost_centre, entry.subject.owner, entry.subject.labels) == ("CC-1", "manager", ())


def test_the_cost_of_a_number_is_what_the_ledger_says_of_closed_months(two_months, cast, story):
    us = two_months["US"]
    close(cast, SEPTEMBER)
    subject = next(one.subject for one in statement(records(NOW), SEPTEMBER) if one.subject.id == us.pk)
    post(cast, "2", subject=subject, corrects=SEPTEMBER, currency="USD")
    story.gone(us, "2026-08-31", "2026-11-19")  # by what we know now it was never charged
    cost = number_cost(records(NOW), us)
    assert [(str(one.charge.month), one.charge.kind, one.charge.amount) for one in cost.lines[::-1]] == [
        ("2026-09", "recurring", Decimal("1.5")),
        ("2026-10", "adjustment", Decimal(2)),
    ]
    assert dict(cost.totals) == {"USD": Decimal("3.5")}


# What stands against it ---------------------------------------------------------------------------------------------


def test_months_close_in_order(two_months, cast):
    assert blocks(SEPTEMBER) == []
    assert blocks(OCTOBER) == ["September 2026 has to be closed first."]
    with pytest.raises(closing.CannotClose, match="September 2026 has to be closed first"):
        close(cast, OCTOBER)
    assert not LedgerLine.objects.exists()


def test_a_running_month_is_not_closed(two_months, cast):
    close(cast, SEPTEMBER, OCTOBER)
    assert any("It can be closed after that" in text for text in blocks(NOVEMBER))
    with pytest.raises(closing.CannotClose):
        close(cast, NOVEMBER)


def test_a_sync_that_began_before_the_months_end_is_not_enough(story, cast):
    story.listed("2026-10-01 12:00", "2026-10-31 23:59")
    story.found("447860041117", "2026-10-01 12:00", "5")
    assert blocks(OCTOBER) == [
        "No complete sync has begun since it ended, so its last days are not known yet."
    ]
    story.listed("2026-11-01 00:00")
    assert blocks(OCTOBER) == []


@pytest.mark.parametrize("state", [ItemState.UNKNOWN, ItemState.EXECUTING])
def test_an_order_without_an_outcome_stands_against_it(two_months, cast, state):
    order = Order.objects.create(
        kind="purchase", requester=cast.manager, reason="x", form_token="x", created_at=NOW, expires_at=NOW
    )
    facts = {"kind": "purchase", "number_key": "K", "quote": {}, "fingerprint": "", "updated_at": NOW}
    for number, moment in (("1", "2026-09-30 23:59"), ("2", "2026-10-01")):
        OrderItem.objects.create(order=order, number=number, state=state, created_at=at(moment), **facts)
    assert blocks(SEPTEMBER) == ["The outcome of 1 ordered number is not known yet."]


def test_an_unknown_price_stands_against_it_until_it_is_waived(story, cast):
    story.listed("2026-10-01 12:00", "2026-11-02")
    owned = story.found("447860041117", "2026-10-01 12:00", None)
    assert blocks(OCTOBER) == ["1 charge without a price."]
    with pytest.raises(closing.CannotClose, match="1 charge without a price"):
        close(cast, OCTOBER)
    waiving.waive(month=OCTOBER, owned=owned, reason="The contract is lost", actor=cast.finance, now=NOW)
    with pytest.raises(waiving.CannotWaive, match="already"):
        waiving.waive(month=OCTOBER, owned=owned, reason="Again", actor=cast.finance, now=NOW)
    closed = close(cast, OCTOBER)
    assert (closed.totals, closed.lines, closed.unpriced) == ({}, 1, 1)
    assert AuditEvent.objects.get(verb="cost.price_waived").number == owned.number


def test_a_setup_price_that_is_not_stated_counts_as_unknown(story, cast):
    story.listed("2026-10-01 12:00", "2026-11-02")
    story.found("447860041117", "2026-10-14", "5", after="2026-10-13", setup=None)
    assert blocks(OCTOBER) == ["1 charge without a price."]


def test_what_a_charge_without_a_price_cost_is_posted_beside_it(story, cast):
    story.listed("2026-10-01 12:00", "2026-11-02")
    owned = story.found("447860041117", "2026-10-01 12:00", None)
    (found,) = waiving.unpriced(records(NOW), OCTOBER)
    cost = {"amount": Decimal("4.2"), "currency": "EUR", "reason": "Invoice 8"}
    waiving.say_cost(
        known=records(NOW),
        month=OCTOBER,
        subject=found.line.subject,
        owned=owned,
        actor=cast.finance,
        now=NOW,
        **cost,
    )
    assert Waiver.objects.get().reason == "Invoice 8"
    closed = close(cast, OCTOBER)
    assert (closed.totals, closed.lines, closed.unpriced) == ({"EUR": "4.200000"}, 2, 1)


def test_months_that_were_cut_otherwise_are_not_closed_on(two_months, cast, story, settings):
    """What was bought in the hours between would be charged in both months, its set-up as well."""
    story.bought("33612345679", "2026-09-30 15:00", "5", setup="2", initial="0.166667", country="FR")
    close(cast, SEPTEMBER)
    settings.BILLING_TIME_ZONE = "Pacific/Auckland"
    (told,) = blocks(OCTOBER)
    assert "September 2026 was closed with months that begin at midnight UTC" in told
    assert "BILLING_TIME_ZONE" in told
    assert late.proposals(records(NOW)) == []
    settings.BILLING_TIME_ZONE = "UTC"
    assert blocks(OCTOBER) == []


def noted(month: Month) -> list[str]:
    """What the checklist says without standing against the close."""
    return [one.text for one in closing.review(records(NOW), month, NOW).items if one.weight is Weight.NOTED]


def test_what_is_not_sure_is_noted(story, cast):
    story.listed("2026-09-01 12:00", "2026-11-20")
    story.found(
        "447860041117", "2026-10-01 12:00", "5", after="2026-09-20"
    )  # September may be billed as well
    assert noted(SEPTEMBER)[-1].startswith("1 number may be billed for it although we charge nothing")
    close(cast, SEPTEMBER)
    assert noted(OCTOBER) == [
        "No invoice is uploaded.",
        "1 charge inferred from what is known, 5.00\u00a0EUR.",
    ]


def test_other_parts_add_to_the_checklist(two_months, cast, monkeypatch):
    monkeypatch.setattr(
        checklist, "MORE", [lambda known, month: checklist.Item(Weight.BLOCKS, f"No rate for {month}.")]
    )
    assert blocks(SEPTEMBER) == ["No rate for 2026-09."]
    with pytest.raises(closing.CannotClose, match="No rate"):
        close(cast, SEPTEMBER)


# Twice, and moved ---------------------------------------------------------------------------------------------------


def test_closing_again_finds_who_closed_it(two_months, cast):
    close(cast, SEPTEMBER)
    with pytest.raises(closing.AlreadyClosed, match="finance has closed September 2026 already"):
        close(cast, SEPTEMBER)
    assert MonthClose.objects.count() == 1


def test_figures_that_moved_since_they_were_shown_close_nothing(two_months, cast, story):
    seen = shown(SEPTEMBER)
    story.found("4915112345679", "2026-09-20", "3", after="2026-09-19", country="DE")
    with pytest.raises(closing.Moved):
        close(cast, SEPTEMBER, shown=seen)
    assert not LedgerLine.objects.exists()
    assert not AuditEvent.objects.filter(verb="cost.month_closed").exists()
    assert close(cast, SEPTEMBER).totals["EUR"] == "24.100000"


# Afterwards ---------------------------------------------------------------------------------------------------------


def test_a_correction_after_the_close_goes_to_the_next_month(two_months, cast):
    stale = records(NOW)
    closed = close(cast, SEPTEMBER)
    with pytest.raises(CannotCorrect, match="has just closed September 2026"):
        post_correction(
            known=stale,
            subject=Subject(None),
            amount=Decimal(1),
            currency="EUR",
            reason="Late",
            actor=cast.finance,
            now=NOW,
        )
    posted = post(cast, corrects=SEPTEMBER)
    assert posted.month == "2026-10"
    known = records(NOW)
    assert Totals({"EUR": Decimal(23), "USD": Decimal("1.5")}) == closing.totals_in(closed.totals)
    assert as_corrected(known, SEPTEMBER)["EUR"] == Decimal("21.5")
    assert as_corrected(known, OCTOBER)["EUR"] == Decimal("25.903226")
    assert close(cast, OCTOBER).totals["EUR"] == "24.403226"


def test_the_digest_tells_any_line_that_is_not_as_it_was_closed(two_months, cast):
    close(cast, SEPTEMBER)
    entries = list(statement(records(NOW), SEPTEMBER))
    for name, value in {"amount": Decimal("14.999999"), "currency": "USD", "note": "x"}.items():
        altered = entries[0]._replace(charge=entries[0].charge._replace(**{name: value}))
        assert digest_of([altered, *entries[1:]]) != digest_of(entries)
    moved = entries[0]._replace(subject=entries[0].subject._replace(cost_centre="CC-9"))
    assert digest_of([moved, *entries[1:]]) != digest_of(entries)
    append_only.remove(connection, "costs_ledgerline")
    LedgerLine.objects.filter(pk=entries[0].id).update(amount=Decimal(1))
    assert closing.verify(SEPTEMBER) == {1: (False, False)}


@pytest.mark.parametrize(
    "altered", [{"totals": {"EUR": "22.999999", "USD": "1.500000"}}, {"lines": 4}, {"unpriced": 1}]
)
def test_figures_of_a_close_that_its_lines_do_not_give_are_told(two_months, cast, signed_in, altered):
    close(cast, SEPTEMBER)
    append_only.remove(connection, "costs_monthclose")
    MonthClose.objects.update(**altered)
    assert closing.verify(SEPTEMBER) == {1: (True, False)}
    page = signed_in("viewer").get("/costs/2026-09/closed/?check=1").text
    assert "every line is as it was closed, but they do not add up to its totals" in page


def test_lines_that_are_others_with_the_same_sums_are_told(two_months, cast, signed_in):
    close(cast, SEPTEMBER)
    append_only.remove(connection, "costs_ledgerline")
    LedgerLine.objects.update(note="x")
    assert closing.verify(SEPTEMBER) == {1: (False, True)}
    page = signed_in("viewer").get("/costs/2026-09/closed/?check=1").text
    assert "the lines are not those that were closed, though they add up to its totals" in page


@pytest.mark.parametrize("table", ["costs_ledgerline", "costs_monthclose"])
@pytest.mark.parametrize("change", ["UPDATE {} SET month = '2026-08'", "DELETE FROM {}"])
def test_no_row_of_a_closed_month_is_changed_or_removed(two_months, cast, table, change):
    close(cast, SEPTEMBER)
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change.format(table))
    assert closing.verify(SEPTEMBER) == {1: (True, True)}
