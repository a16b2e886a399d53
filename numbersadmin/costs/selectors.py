"""What a month costs: which months are on record, and the page of one."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from numbersadmin.costs import counting
from numbersadmin.costs.charges import Kind
from numbersadmin.costs.corrected import Corrected, corrected
from numbersadmin.costs.counting import NotCounted
from numbersadmin.costs.forecast import Forecast, Step, forecast, steps
from numbersadmin.costs.labels import each_label
from numbersadmin.costs.ledger import Records, State, statement
from numbersadmin.costs.models import MonthClose, MonthNote
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import billing_calendar, last_list, records_begin
from numbersadmin.costs.report import GROUPINGS, Figures, Sum, basis_words, signed_percent
from numbersadmin.costs.trend import SPANS, Trend, trend
from numbersadmin.costs.waterfall import Waterfall, waterfall
from numbersadmin.money import ZERO, rounded, rounded_lines

__all__ = ["Kind", "Month", "Records", "statement"]  # of other files, open to other apps
GROUPS_SHOWN = 10
NONE = "(none)"
"""How a filter names the group without a value, as the list of owned numbers does."""


def records(now: datetime) -> Records:
    """Which months are on record at this moment."""
    calendar, begin = billing_calendar(), records_begin()
    first = min(calendar.month(begin), calendar.month(now)) if begin else None
    closes = {Month.parse(row.month): row for row in MonthClose.objects.select_related("by").order_by("id")}
    return Records(first, calendar.month(now), calendar, last_list(), begin, closes)


def notes_between(first: Month, last: Month) -> list[MonthNote]:
    """What people have noted about these months, in their order."""
    notes = MonthNote.objects.filter(month__gte=str(first), month__lte=str(last))
    return list(notes.select_related("by").order_by("month", "id"))


# A month ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    """All charges of a month in one currency. None is an amount that is unknown, or a month that is not on record.

    A change is the difference of the two figures as they are shown, so that people can check it. `year_ago` and
    `year_change` compare with the same month of the year before. `unpriced` counts the charges without an amount.
    """

    currency: str
    numbers: int
    unpriced: int
    amount: Decimal | None
    before: Decimal | None
    change: Decimal | None
    percent: str
    year_ago: Decimal | None
    year_change: Decimal | None
    year_percent: str


@dataclass(frozen=True, slots=True)
class Group:
    """A row of the split: exact sums, and rounded ones that add up to the rounded total, down and across.

    None is an amount that is unknown, or a month that is not on record.
    """

    value: str
    total: Sum
    amount: Decimal | None
    total_before: Sum
    before: Decimal | None
    year_ago: Decimal | None
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
    def change(self) -> Decimal | None:
        """The difference of the two figures beside it."""
        return None if self.amount is None or self.before is None else self.amount - self.before

    @property
    def exact(self) -> str:
        """The amount with all its decimals, where the rounded one has lost some."""
        return "" if self.amount in (None, self.total.amount) else f"{self.total.amount:,f}"


@dataclass(frozen=True, slots=True)
class MonthPage:
    """Everything on the page of a month. Without charges `currency` is empty.

    `counted`: when the figures were counted, None while they are not.
    `labels`: split by sets of labels, each label alone, where some have several; these do not add up.
    `bridge`: why it differs from the month before, if that is on record.
    """

    records: Records
    month: Month
    by: str
    currency: str
    counted: datetime | None
    totals: list[CurrencyTotal]
    groups: list[Group]
    more: Group | None
    labels: list[tuple[str, Sum]]
    all_groups: bool
    unpriced: int
    bases: list[str]
    corrected: Corrected
    bridge: Waterfall | None
    forecast: Forecast | None
    trend: Trend

    @property
    def total(self) -> CurrencyTotal | None:
        """The chosen currency's total."""
        return next((one for one in self.totals if one.currency == self.currency), None)

    @property
    def labels_shown(self) -> list[tuple[str, Sum]]:
        """As many of them as of the groups."""
        return self.labels if self.all_groups else self.labels[:GROUPS_SHOWN]

    @property
    def steps(self) -> list[Step]:
        """The forecast in the chosen currency; none unless the month is the current one."""
        return steps(self.forecast, self.currency) if self.forecast else []

    @property
    def waiting(self) -> int:
        """How many numbers wait for approval, to be bought or cancelled, in the chosen currency."""
        return self.forecast.waiting(self.currency) if self.forecast else 0

    @property
    def cards(self) -> int:
        """How many figures stand on top."""
        return len(self.totals) + bool(self.forecast)

    @property
    def last_alone(self) -> bool:
        """Does the last of them stand below full rows of three or four, with the width for itself?"""
        return self.cards in (5, 7)

    @property
    def current(self) -> bool:
        """Is the month still running?"""
        return self.month == self.records.current

    @property
    def state(self) -> State:
        """Is it open, closed or reopened?"""
        return self.records.state(self.month)

    @property
    def close(self) -> MonthClose | None:
        """The newest close or reopening of the month."""
        return self.records.closes.get(self.month)

    @property
    def year_ago(self) -> Month | None:
        """The same month of the year before, if it is on record."""
        return _if_on_record(self.records, self.month.plus(-12))

    @property
    def previous(self) -> Month | None:
        """The month before, if it is on record."""
        return _if_on_record(self.records, self.month.previous)

    @property
    def next(self) -> Month | None:
        """The month after, if it has begun."""
        return None if self.current else self.month.next


def _if_on_record(known: Records, month: Month) -> Month | None:
    return month if known.on_record(month) else None


def month_page(
    known: Records,
    month: Month,
    *,
    now: datetime,
    currency: str = "",
    by: str = "country",
    all_groups: bool = False,
    span: int = SPANS[0],
    wide: bool = False,
    wait: bool = False,
) -> MonthPage:
    """The page of a month on record; an unknown currency or grouping is answered with the usual one.

    Raises NotCounted for a large account whose figures are not there yet; with `wait` the page is without any then.
    """
    by = by if by in GROUPINGS else "country"
    first = month.plus(1 - max(span, 13))
    last = month.next if month == known.current else month
    counted: datetime | None = None
    try:
        found, counted = counting.figures(known, first, last, by=by, shown=month, now=now)
    except NotCounted:
        if not wait:
            raise
        found = Figures()
    currencies = currencies_of(found, month)
    currency = currency if currency in currencies else next(iter(currencies), "")
    groups = _groups(found, month, by, currency, known)
    shown_groups = len(groups) if all_groups or len(groups) <= GROUPS_SHOWN + 1 else GROUPS_SHOWN
    rest = groups[shown_groups:]
    return MonthPage(
        records=known,
        month=month,
        by=by,
        currency=currency,
        counted=counted,
        totals=[_total(found, month, one, known) for one in currencies],
        groups=groups[:shown_groups],
        more=_together(rest) if rest else None,
        labels=each_label(found, month, currency) if by == "labels" else [],
        all_groups=all_groups,
        unpriced=found.unpriced(month),
        bases=basis_words(found.bases(month, currency)),
        corrected=corrected(found, month),
        bridge=_bridge(found, month, currency, known),
        forecast=forecast(known, found, counted or now, now) if month == known.current else None,
        trend=trend(found, known, month, currency, span, notes_between(month.plus(1 - span), month), wide),
    )


def currencies_of(found: Figures, month: Month) -> list[str]:
    """Those charged in this month or the one before, the one with the most numbers first."""
    now, before = found.totals(month), found.totals(month.previous)
    sums = {currency: Sum() for currency in before} | now
    return sorted(sums, key=lambda currency: (-sums[currency].numbers, currency))


def _total(found: Figures, month: Month, currency: str, known: Records) -> CurrencyTotal:
    def amount_in(one: Month) -> Decimal | None:
        return found.totals(one).get(currency, Sum()).known if known.on_record(one) else None

    total = found.totals(month).get(currency, Sum())
    before, year_ago = amount_in(month.previous), amount_in(month.plus(-12))
    return CurrencyTotal(
        currency,
        total.numbers,
        total.unpriced,
        total.known,
        before,
        *_compared(total.known, before, currency),
        year_ago,
        *_compared(total.known, year_ago, currency),
    )


def _compared(amount: Decimal | None, before: Decimal | None, currency: str) -> tuple[Decimal | None, str]:
    """The change as it is shown, and in percent."""
    if amount is None or before is None:
        return None, ""
    change = rounded(amount, currency) - rounded(before, currency)
    return change, signed_percent(amount - before, before)


def _groups(found: Figures, month: Month, by: str, currency: str, known: Records) -> list[Group]:
    """The groups with rounded figures; each column adds up to its own rounded total, and each row across."""
    months = (month, month.previous, month.plus(-12))
    sums = [
        {value: one for (code, value), one in found.of(of, by).items() if code == currency} for of in months
    ]
    now, before, year_ago = sums
    values = sorted(
        now.keys() | before.keys() | year_ago.keys(),
        key=lambda value: (-now.get(value, Sum()).amount, -before.get(value, Sum()).amount, value),
    )
    amounts, befores, years_ago = (
        _column([of.get(value, Sum()) for value in values], currency, known.on_record(one))
        for of, one in zip(sums, months, strict=True)
    )
    highest = max((one.amount for one in now.values()), default=ZERO)
    return [
        Group(
            value,
            now.get(value, Sum()),
            amounts[at],
            before.get(value, Sum()),
            befores[at],
            years_ago[at],
            max(0, int(now.get(value, Sum()).amount * 100 / highest)) if highest > 0 else 0,
        )
        for at, value in enumerate(values)
    ]


def _column(sums: list[Sum], currency: str, on_record: bool) -> list[Decimal | None]:
    """The figures of a month as they are shown: they add up to its rounded total, and what is unknown is None."""
    shown = rounded_lines([one.amount for one in sums], currency)
    return [
        amount if on_record and one.known is not None else None
        for one, amount in zip(sums, shown, strict=True)
    ]


def _together(groups: list[Group]) -> Group:
    """The groups that are not shown one by one, as one row."""

    def added(amounts: list[Decimal | None]) -> Decimal | None:
        known = [one for one in amounts if one is not None]
        return sum(known, ZERO) if known else None

    return Group(
        "",
        sum((group.total for group in groups), Sum()),
        added([group.amount for group in groups]),
        sum((group.total_before for group in groups), Sum()),
        added([group.before for group in groups]),
        added([group.year_ago for group in groups]),
        0,  # as a bar it would be longer than that of the dearest
        more=len(groups),
    )


def _bridge(found: Figures, month: Month, currency: str, known: Records) -> Waterfall | None:
    """The way from the month before to this one; None in the first month on record, and from or to the unknown."""
    if not currency or not known.on_record(month.previous):
        return None
    before, after = (found.totals(one).get(currency, Sum()).known for one in (month.previous, month))
    if before is None or after is None:
        return None
    name = f"{month.short} {month.year}"
    name += " forecast" if month > known.current else " to date" if month == known.current else ""
    return waterfall(before, found.bridge(month, currency), after, currency, month, name)


# The month ahead ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ForecastPage:
    """What the month after the current one will cost in one currency, and why."""

    records: Records
    currency: str
    currencies: list[str]
    counted: datetime
    unpriced: int  # numbers of ours whose price is not known
    forecast: Forecast
    bridge: Waterfall | None

    @property
    def steps(self) -> list[Step]:
        """If nothing changes, with what is approved, with what waits."""
        return steps(self.forecast, self.currency)

    @property
    def saves(self) -> Decimal | None:
        """What the cancellations under way save from next month on; None without any."""
        return self.forecast.saves.get(self.currency)


def forecast_page(known: Records, currency: str, now: datetime) -> ForecastPage:
    """The forecast in one currency; an unknown one is answered with the usual one."""
    ahead = known.current.next
    found, counted = counting.figures(known, known.current, ahead, by="country", shown=ahead, now=now)
    ours = forecast(known, found, counted, now)
    currencies = currencies_of(found, ahead)
    currencies += [code for code in ours.with_pending if code not in currencies]
    currency = currency if currency in currencies else next(iter(currencies), "")
    bridge = _bridge(found, ahead, currency, known)
    return ForecastPage(known, currency, currencies, counted, found.unpriced(ahead), ours, bridge)
