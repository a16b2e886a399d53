"""What a month costs: which months are on record, and the page of one."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from numbersadmin.costs.charges import Kind
from numbersadmin.costs.chart import Chart, chart
from numbersadmin.costs.ledger import Records, statement
from numbersadmin.costs.models import MonthClose
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import billing_calendar, held_between, last_list, records_begin
from numbersadmin.costs.report import GROUPINGS, Report, Sum, basis_words, report, signed_percent
from numbersadmin.money import ZERO, rounded, rounded_lines

__all__ = ["Kind", "Month", "Records", "statement"]  # of other files, open to other apps
TREND_MONTHS = 12
GROUPS_SHOWN = 10
NONE = "(none)"
"""How a filter names the group without a value, as the list of owned numbers does."""


def records(now: datetime) -> Records:
    """Which months are on record at this moment."""
    calendar, begin = billing_calendar(), records_begin()
    first = min(calendar.month(begin), calendar.month(now)) if begin else None
    closes = {Month.parse(row.month): row for row in MonthClose.objects.select_related("by").order_by("id")}
    return Records(first, calendar.month(now), calendar, last_list(), begin, closes)


# A month ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    """All charges of a month in one currency. `before` and `change` are None in the first month on record.

    A change is the difference of the two figures as they are shown, so that people can check it.
    """

    currency: str
    numbers: int
    unpriced: int
    amount: Decimal
    before: Decimal | None
    change: Decimal | None
    percent: str


@dataclass(frozen=True, slots=True)
class Group:
    """A row of the split: exact sums, and rounded ones that add up to the rounded total, down and across."""

    value: str
    total: Sum
    amount: Decimal
    before: Decimal | None
    change: Decimal | None
    percent: int
    more: int = 0

    @property
    def filter(self) -> str:
        """The value that a link to its lines carries."""
        return self.value or NONE

    @property
    def capabilities(self) -> list[str]:
        """The value as a list, where it is a set of capabilities."""
        return self.value.split(",")

    @property
    def exact(self) -> str:
        """The amount with all its decimals, where the rounded one has lost some."""
        return "" if self.total.amount == self.amount else f"{self.total.amount:,f}"


@dataclass(frozen=True, slots=True)
class TrendRow:
    """A month of the trend as text has it; amount None before records began."""

    month: Month
    amount: Decimal | None
    change: Decimal | None


@dataclass(frozen=True, slots=True)
class MonthPage:
    """Everything on the page of a month. Without charges `currency` is empty."""

    records: Records
    month: Month
    by: str
    currency: str
    totals: list[CurrencyTotal]
    groups: list[Group]
    more: Group | None
    all_groups: bool
    unpriced: int
    bases: list[str]
    trend: list[TrendRow]
    chart: Chart

    @property
    def total(self) -> CurrencyTotal | None:
        """The chosen currency's total."""
        return next((one for one in self.totals if one.currency == self.currency), None)

    @property
    def current(self) -> bool:
        """Is the month still running?"""
        return self.month == self.records.current

    @property
    def previous(self) -> Month | None:
        """The month before, if it is on record."""
        return self.month.previous if self.records.on_record(self.month.previous) else None

    @property
    def next(self) -> Month | None:
        """The month after, if it has begun."""
        return None if self.current else self.month.next


def month_page(
    known: Records,
    month: Month,
    *,
    currency: str = "",
    by: str = "country",
    all_groups: bool = False,
    wide: bool = False,
) -> MonthPage:
    """The page of a month on record; an unknown currency or grouping is answered with the usual one."""
    by = by if by in GROUPINGS else "country"
    first = month.plus(1 - TREND_MONTHS)
    held = held_between(first, month, known.calendar, known.listed)
    found = report(held, first, month, by, known.calendar)
    currencies = found.currencies
    currency = currency if currency in currencies else next(iter(currencies), "")
    totals = _totals(found, known)
    groups = _groups(found, currency, known)
    shown = len(groups) if all_groups or len(groups) <= GROUPS_SHOWN + 1 else GROUPS_SHOWN
    trend = _trend(found, currency, known)
    return MonthPage(
        records=known,
        month=month,
        by=by,
        currency=currency,
        totals=totals,
        groups=groups[:shown],
        more=_together(groups[shown:], known, month) if groups[shown:] else None,
        all_groups=all_groups,
        unpriced=found.unpriced,
        bases=basis_words(found.by_basis.get(currency, {})),
        trend=trend,
        chart=chart([(row.month, row.amount) for row in trend], month, wide=wide),
    )


def _compares(known: Records, month: Month) -> bool:
    """Is the month before on record, so that there is something to compare with?"""
    return known.on_record(month.previous)


def _totals(found: Report, known: Records) -> list[CurrencyTotal]:
    compares, sums = _compares(known, found.last), found.totals
    return [
        CurrencyTotal(
            currency,
            total.numbers,
            total.unpriced,
            total.amount,
            total.before if compares else None,
            _change(total.amount, total.before, currency) if compares else None,
            signed_percent(total.amount - total.before, total.before) if compares else "",
        )
        for currency in found.currencies
        for total in [sums[currency]]
    ]


def _change(amount: Decimal, before: Decimal, currency: str) -> Decimal:
    return rounded(amount, currency) - rounded(before, currency)


def _groups(found: Report, currency: str, known: Records) -> list[Group]:
    """The groups with rounded figures; each column adds up to its own rounded total, and each row across."""
    rows = found.of(currency)
    compares = _compares(known, found.last)
    amounts = rounded_lines([total.amount for _, total in rows], currency)
    befores = rounded_lines([total.before for _, total in rows], currency)
    highest = max((total.amount for _, total in rows), default=ZERO)
    return [
        Group(
            value,
            total,
            amounts[at],
            befores[at] if compares else None,
            amounts[at] - befores[at] if compares else None,
            int(total.amount * 100 / highest) if highest else 0,
        )
        for at, (value, total) in enumerate(rows)
    ]


def _together(groups: list[Group], known: Records, month: Month) -> Group:
    """The groups that are not shown one by one, as one row."""
    total, compares = sum((group.total for group in groups), Sum()), _compares(known, month)
    return Group(
        "",
        total,
        sum((group.amount for group in groups), ZERO),
        sum((group.before or ZERO for group in groups), ZERO) if compares else None,
        sum((group.change or ZERO for group in groups), ZERO) if compares else None,
        min(100, sum(group.percent for group in groups)),
        more=len(groups),
    )


def _trend(found: Report, currency: str, known: Records) -> list[TrendRow]:
    rows: list[TrendRow] = []
    for month, amount in found.trend(currency):
        known_amount = amount if known.on_record(month) else None
        before = rows[-1].amount if rows else None
        change = None if known_amount is None or before is None else _change(amount, before, currency)
        rows.append(TrendRow(month, known_amount, change))
    return rows
