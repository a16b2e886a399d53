"""A whole year through the real orders and syncs, each month against an independent reckoning with fractions."""

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from numbersadmin.costs import selectors
from numbersadmin.costs.ledger import statement
from numbersadmin.costs.months import Month
from numbersadmin.money import Totals
from tests.costs.reckoned import owed
from tests.costs.year import MONTHS, Account, begin

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(sandbox: Any, cast: Any) -> Account:
    made = Account(sandbox, cast)
    begin(made)
    return made


def totals(account: Account, month: Month) -> dict[str, Fraction]:
    known = selectors.records(account.clock())
    found = Totals.of((entry.charge.currency, entry.charge.amount) for entry in statement(known, month))
    return {currency: Fraction(str(amount)) for currency, amount in found.items()}


def test_each_month_of_the_year_costs_what_it_must(account):
    for at, play in enumerate(MONTHS, start=1):
        play(account)
        account.on(str(date(2026 + at // 12, at % 12 + 1, 1)), hour=2)
        expected = owed(list(account.lives.values()), 2026, at, account.today)
        assert totals(account, Month.of(2026, at)) == expected, f"month {at}"
