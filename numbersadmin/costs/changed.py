"""The numbers behind a bar: which of them made a month cost another amount than the one before."""

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator

from numbersadmin.costs.bridge import Change, Part
from numbersadmin.costs.differing import differences
from numbersadmin.costs.ledger import Records
from numbersadmin.costs.months import Month
from numbersadmin.costs.waterfall import words
from numbersadmin.money import Totals

ROWS = 50


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A number with what it cost in both months, and why."""

    change: Change
    words: str

    @property
    def url(self) -> str:
        """The page of the number; empty where it is about none of ours."""
        return f"/numbers/{self.change.subject.id}/" if self.change.subject.id else ""


@dataclass(frozen=True, slots=True)
class ChangedNumbers:
    """One page of them, the largest differences first, and what all come to."""

    page: Page[ChangedRow]
    totals: Totals


def changed_numbers(
    known: Records, month: Month, currency: str, part: Part | None, page: str
) -> ChangedNumbers:
    """Those that differ in this currency for this reason; for any without one."""
    found = [
        one
        for one in differences(known, month)
        if (not currency or one.currency == currency) and part in (None, one.part)
    ]
    found.sort(key=lambda one: (one.currency, -abs(one.amount), one.subject.id or 0))
    shown: Page[Any] = Paginator(found, ROWS).get_page(page)
    shown.object_list = [ChangedRow(one, words(one.part, month)) for one in shown.object_list]
    return ChangedNumbers(shown, Totals.of((one.currency, one.amount) for one in found))
