"""Reopening a closed month: by two persons, for corrections only, and closed again as the next revision."""

from decimal import Decimal

import pytest

from numbersadmin.audit.models import AuditEvent
from numbersadmin.costs import closing, posting, reopening
from numbersadmin.costs.ledger import State
from numbersadmin.costs.selectors import records
from tests.costs.test_closing import NOW, OCTOBER, SEPTEMBER, close, post, shown

pytestmark = pytest.mark.usefixtures("november")


def reopened(cast, month):
    asked = reopening.ask(month=month, reason="Invoice 9 came late", actor=cast.finance, now=NOW)
    reopening.confirm(asked=asked, actor=cast.admin, now=NOW)
    return asked


def test_a_reopened_month_takes_corrections_and_closes_as_the_next_revision(two_months, cast, story):
    close(cast, SEPTEMBER, OCTOBER)
    reopened(cast, SEPTEMBER)
    assert (records(NOW).state(SEPTEMBER), records(NOW).to_close) == (State.REOPENED, SEPTEMBER)
    story.gone(two_months["US"], "2026-08-31", "2026-11-19")  # no computed line follows it
    posted = post(cast, corrects=SEPTEMBER)
    assert (posted.month, posted.revision) == ("2026-09", 2)
    closed = close(cast, SEPTEMBER)
    assert (closed.revision, closed.lines, closed.totals["EUR"]) == (2, 4, "21.500000")
    first, opened, second = closing.revisions(SEPTEMBER)
    assert (first.totals["EUR"], first.change) == (Decimal(23), None)
    assert (opened.row.by, opened.row.second_by, opened.row.reason) == (
        cast.finance,
        cast.admin,
        "Invoice 9 came late",
    )
    assert dict(second.change) == {"EUR": Decimal("-1.5")}
    assert closing.verify(SEPTEMBER) == {1: (True, True), 2: (True, True)}


def test_nobody_reopens_alone(two_months, cast):
    close(cast, SEPTEMBER)
    asked = reopening.ask(month=SEPTEMBER, reason="Invoice 9", actor=cast.finance, now=NOW)
    for act, who, told in (
        (reopening.confirm, cast.finance, "another person decides"),
        (reopening.withdraw, cast.admin, "Only the person who asked"),
        (reopening.confirm, cast.approver, "Only finance or an administrator"),
    ):
        with pytest.raises(reopening.CannotReopen, match=told):
            act(asked=asked, actor=who, now=NOW)
    with pytest.raises(reopening.CannotReopen, match="already"):
        reopening.ask(month=SEPTEMBER, reason="Me too", actor=cast.admin, now=NOW)
    assert records(NOW).state(SEPTEMBER) is State.CLOSED


def test_a_request_ends_once_and_leaves_the_month_closed(two_months, cast):
    close(cast, SEPTEMBER)
    asked = reopening.ask(month=SEPTEMBER, reason="Invoice 9", actor=cast.finance, now=NOW)
    reopening.refuse(asked=asked, reason="It belongs to October", actor=cast.admin, now=NOW)
    with pytest.raises(reopening.CannotReopen, match="decided on it already"):
        reopening.confirm(asked=asked, actor=cast.admin, now=NOW)
    again = reopening.ask(month=SEPTEMBER, reason="Invoice 9, page 2", actor=cast.finance, now=NOW)
    reopening.withdraw(asked=again, actor=cast.finance, now=NOW)
    assert records(NOW).state(SEPTEMBER) is State.CLOSED
    told = AuditEvent.objects.filter(verb__startswith="cost.reopen").order_by("id")
    assert [event.verb for event in told] == [
        "cost.reopen_asked",
        "cost.reopen_refused",
        "cost.reopen_asked",
        "cost.reopen_withdrawn",
    ]
    with pytest.raises(reopening.CannotReopen, match="is not closed"):
        reopening.ask(month=OCTOBER, reason="x", actor=cast.finance, now=NOW)


def test_a_refused_close_of_a_reopened_month_leaves_it_open(two_months, cast):
    close(cast, SEPTEMBER)
    reopened(cast, SEPTEMBER)
    seen = shown(SEPTEMBER)
    post(cast)
    with pytest.raises(closing.Moved):
        close(cast, SEPTEMBER, shown=seen)
    assert posting.last_close(SEPTEMBER).action == "reopen"
