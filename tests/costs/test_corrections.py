"""Corrections that people post: in the earliest month that is not closed, each once."""

from decimal import Decimal

import pytest

from numbersadmin.audit.models import AuditEvent
from numbersadmin.costs import selectors, services
from numbersadmin.costs.ledger import statement
from numbersadmin.costs.models import MonthClose
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject
from tests.costs.conftest import at

pytestmark = pytest.mark.usefixtures("november")
NOW = at("2026-11-20 12:00")


def post(cast, **more):
    known = selectors.records(NOW)
    facts = {
        "subject": Subject(None),
        "amount": Decimal("-1.5"),
        "currency": "EUR",
        "reason": "Credit note 7",
    }
    return services.post_correction(known=known, actor=cast.finance, now=NOW, **facts | more)


def test_a_correction_is_a_line_of_the_earliest_open_month(two_months, cast):
    posted = post(cast, corrects=Month.parse("2026-09"))
    assert (posted.month, posted.corrects, posted.revision) == ("2026-09", "2026-09", 1)
    (entry,) = [one for one in statement(selectors.records(NOW), Month.parse("2026-09")) if one.id]
    assert (entry.charge.amount, entry.charge.basis, entry.charge.note) == (
        Decimal("-1.5"),
        "manual",
        "Credit note 7",
    )
    event = AuditEvent.objects.get(verb="cost.corrected")
    assert (event.subject_id, event.reason) == (posted.pk, "Credit note 7")


def test_a_form_sent_twice_posts_once(two_months, cast):
    post(cast, form_token="one")
    with pytest.raises(services.CannotCorrect, match="posted already"):
        post(cast, form_token="one")
    assert AuditEvent.objects.filter(verb="cost.corrected").count() == 1


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"amount": Decimal(0)}, "Enter the difference"),
        ({"reason": "  "}, "Say why"),
        ({"corrects": Month.parse("2027-01")}, "comes after"),
    ],
)
def test_what_cannot_be_posted_says_why(two_months, cast, facts, told):
    with pytest.raises(services.CannotCorrect, match=told):
        post(cast, **facts)


def test_a_month_shows_what_it_is_as_corrected(two_months, cast, signed_in):
    """As the ledger stands a correction is posted in the earliest open month, whichever month it is about."""
    september, october = Month.parse("2026-09"), Month.parse("2026-10")
    MonthClose.objects.create(
        month="2026-09", revision=1, action="close", at=NOW, by=cast.finance, sha256="0" * 64
    )
    post(cast, corrects=september)
    known = selectors.records(NOW)
    about, carries = (selectors.month_page(known, month, now=NOW).corrected for month in (september, october))
    assert about.amounts == [("EUR", 0, Decimal("-1.5"))]
    assert carries.amounts == [("EUR", Decimal("24.403226"), Decimal("25.903226"))]
    page = signed_in("viewer").get("/costs/2026-10/").text.replace("\u00a0", " ")
    assert "As it stands 24.40 EUR" in page
    assert "carries \u22121.50 EUR about" in page
    assert not selectors.month_page(known, Month.parse("2026-11"), now=NOW).corrected
