"""A whole year through the real orders and syncs, closed month by month, against a reckoning with fractions."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from numbersadmin.costs import closing, late, selectors
from numbersadmin.costs.corrected import as_corrected
from numbersadmin.costs.months import Month
from tests.costs.closed import freeze
from tests.costs.reckoned import owed
from tests.costs.year import MONTHS, US, Account, begin

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(sandbox: Any, cast: Any) -> Account:
    made = Account(sandbox, cast)
    begin(made)
    return made


def exact(amounts: Mapping[str, Any]) -> dict[str, Fraction]:
    """Amounts as fractions, which compare to the micro-unit; what is 0 is left out."""
    return {currency: Fraction(str(amount)) for currency, amount in amounts.items() if Decimal(amount)}


def test_each_month_of_the_year_is_closed_at_what_it_must_cost(account):
    lives, corrections = account.lives, {}
    for at, play in enumerate(MONTHS, start=1):
        play(account)
        month, now = Month.of(2026, at), account.clock()
        known = selectors.records(now)
        for one in late.proposals(known):  # what the closed months did not know yet
            corrections[one.month, one.subject.number] = exact({one.currency: one.amount})
            late.post(known=known, mark=one.mark, actor=account.desk.cast.finance, now=now)
            carried = exact({one.currency: one.amount})
        account.on(str(date(2026 + at // 12, at % 12 + 1, 1)), hour=2)
        expected = owed(list(lives.values()), 2026, at, account.today)
        if corrections and at == 6:
            (currency,) = carried
            expected[currency] += carried[currency]
        closed = freeze(str(month), account.desk.cast.finance, account.clock())
        assert exact(closed.totals) == expected, f"month {at}"
    # May was closed while the number seemed to have ended; it was back in June, and had never been away
    assert corrections == {(Month.of(2026, 5), US): {"USD": Fraction(3, 2)}}
    known = selectors.records(account.clock())
    assert late.proposals(known) == []
    for at in range(1, 13):
        month = Month.of(2026, at)
        assert exact(as_corrected(known, month)) == owed(list(lives.values()), 2026, at, account.today), (
            f"month {at}"
        )
        assert all(closing.verify(month).values())
