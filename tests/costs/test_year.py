"""A whole year through the real orders and syncs, closed month by month, against a reckoning with fractions."""

import io
from collections.abc import Mapping as Amounts
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from numbersadmin.costs import closing, late, selectors
from numbersadmin.costs.corrected import as_corrected
from numbersadmin.costs.models import LedgerLine, Origin
from numbersadmin.costs.months import Month
from numbersadmin.invoices import comparing, posting
from numbersadmin.invoices import services as invoices
from numbersadmin.invoices.mapping import Mapping
from tests.costs.closed import freeze
from tests.costs.reckoned import owed
from tests.costs.year import DE, ES, FR, GB, IT, MONTHS, US, Account, begin

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(sandbox: Any, cast: Any) -> Account:
    made = Account(sandbox, cast)
    begin(made)
    return made


def exact(amounts: Amounts[str, Any]) -> dict[str, Fraction]:
    """Amounts as fractions, which compare to the micro-unit; what is 0 is left out."""
    return {currency: Fraction(str(amount)) for currency, amount in amounts.items() if Decimal(amount)}


BILLED = {DE: "9", GB: "5.5", FR: "10", ES: "4.404", "447700900999": "3.21"}
"""The invoice of September: GB too dear, ES rounded, IT left out, and a number that was never ours."""
DIFFERENCES = {
    GB: ("different", "0.500000"),
    IT: ("only_ledger", "-7.300000"),
    "447700900999": ("only_invoice", "3.210000"),
    ES: ("matched", "0.004000"),
}


def bill(account: Account, month: Month) -> Fraction:
    """Upload that invoice, compare it, post every difference; what they add up to."""
    text = "Number;Amount\n" + "".join(f"{number};{amount}\n" for number, amount in BILLED.items())
    now, finance = account.clock(), account.desk.cast.finance
    facts: dict[str, Any] = {"month": month, "currency": "EUR", "reference": "INV-9", "encoding": "auto"}
    invoice = invoices.upload(
        actor=finance, file=io.BytesIO(text.encode()), file_name="9.csv", now=now, **facts
    )
    known = selectors.records(now)
    comparing.choose_columns(
        actor=finance, invoice=invoice, by=Mapping(number=0, amount=1), known=known, now=now
    )
    invoice.refresh_from_db()
    differing = {line.number: (line.status, f"{line.difference:f}") for line in invoice.lines.all()}
    assert {
        number: told for number, told in differing.items() if told != ("matched", "0.000000")
    } == DIFFERENCES
    assert posting.post_all(actor=finance, invoice=invoice, roundings=True, known=known, now=now) == (4, 0)
    posted = LedgerLine.objects.filter(origin=Origin.INVOICE, corrects=str(month))
    return sum((Fraction(str(line.amount)) for line in posted), Fraction(0))


def test_each_month_of_the_year_is_closed_at_what_it_must_cost(account):
    lives, corrections, billed = account.lives, {}, Fraction(0)
    for at, play in enumerate(MONTHS, start=1):
        play(account)
        month, now = Month.of(2026, at), account.clock()
        known = selectors.records(now)
        carried: dict[str, Fraction] = {"EUR": billed} if at == 10 else {}
        for one in late.proposals(known):  # what the closed months did not know yet
            corrections[one.month, one.subject.number] = exact({one.currency: one.amount})
            late.post(known=known, mark=one.mark, actor=account.desk.cast.finance, now=now)
            carried |= exact({one.currency: one.amount})
        account.on(str(date(2026 + at // 12, at % 12 + 1, 1)), hour=2)
        expected = owed(list(lives.values()), 2026, at, account.today)
        expected |= {currency: expected[currency] + amount for currency, amount in carried.items()}
        closed = freeze(str(month), account.desk.cast.finance, account.clock())
        assert exact(closed.totals) == expected, f"month {at}"
        if at == 9:
            billed = bill(account, month)
    # May was closed while the number seemed to have ended; it was back in June, and had never been away
    assert corrections == {(Month.of(2026, 5), US): {"USD": Fraction(3, 2)}}
    assert billed == Fraction("-3.586")
    known = selectors.records(account.clock())
    assert late.proposals(known) == []
    for at in range(1, 13):
        month = Month.of(2026, at)
        expected = owed(list(lives.values()), 2026, at, account.today)
        if at == 9:
            expected["EUR"] += billed
        assert exact(as_corrected(known, month)) == expected, f"month {at}"
        assert all(map(all, closing.verify(month).values()))
