"""Charge lines: what one possession of a number costs in each month, and how we know (docs/costs.md).

Pure computation: facts in, lines out. No clock, no query, no setting; the same facts give the same lines.
Months are whole numbers here (`Month.index`), so that a run of equal months is one `Stretch`, and a report over
many months and many numbers need not make a line for each of them. Facts and lines are tuples with names, because
there are millions of them: a frozen dataclass takes four times as long to make.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from numbersadmin.costs.months import Calendar, Month
from numbersadmin.money import ZERO, days_in_month, prorate, to_micro

# The provider says nothing about these; they are printed with every month's figures.
PRICE_CHANGE = "NEXT_MONTH"
"""The price in force at the start of a month holds for the month."""
CANCELLATION = "NO_REFUND"
"""The month in which a number ends stays charged in full."""
TODAY_IS_CHARGED = 1
"""A number bought on the 13th of 31 days is charged for 19 days, not 18."""


class Kind(StrEnum):
    """What a charge is for, in the order in which a month lists them."""

    SETUP = "setup"
    INITIAL = "initial"
    RECURRING = "recurring"
    ADJUSTMENT = "adjustment"  # never computed: posted by a person (ledger.py)


ORDER = {kind: at for at, kind in enumerate(Kind)}
"""The place of a line among those of one number and month."""


class Basis(StrEnum):
    """How we know an amount. The first two are the provider's own figures, the last two those of corrections."""

    QUOTED = "quoted"
    LISTED = "listed"
    COMPUTED = "computed"
    INFERRED = "inferred"
    MANUAL = "manual"
    INVOICE = "invoice"


STATED = frozenset({Basis.QUOTED, Basis.LISTED})
NO_PRICE = "Infobip states no price."
NOT_LISTED = "Not seen on Infobip's list in this month."


class Price(NamedTuple):
    """The price in one version of a number's facts, seen first at `valid_from`; None is unknown, never 0.

    It came into force in (not_before, valid_from]. `quoted`: read right before our own purchase.
    """

    valid_from: datetime
    valid_to: datetime | None
    not_before: datetime | None
    per_month: Decimal | None
    setup: Decimal | None
    initial_month: Decimal | None
    currency: str
    quoted: bool = False


class Possession(NamedTuple):
    """One uninterrupted possession of a number: when it began and ended, and its prices.

    It began at `acquired_at` if that is known, else in (acquired_from, acquired_to]; without acquired_from it was
    there when records began. `exact`: acquired_at is no inference. `last_seen` and `gone_by` are None while it is
    ours; `listed_until` is the last complete reading of the list that held it (None: take it as always listed).
    """

    id: int
    acquired_to: datetime
    prices: tuple[Price, ...]
    acquired_at: datetime | None = None
    acquired_from: datetime | None = None
    exact: bool = False
    last_seen: datetime | None = None
    gone_by: datetime | None = None
    listed_until: datetime | None = None
    bought_again: bool = False


class Stretch(NamedTuple):
    """The same charge in each month from `first` to `last`."""

    kind: Kind
    first: int
    last: int
    amount: Decimal | None
    currency: str
    basis: Basis
    per_month: Decimal | None
    note: str = ""


class Charge(NamedTuple):
    """One line of money in one month. The period's end is exclusive, both are in UTC.

    `number_id` is that of the owned number; None for a correction that is about no number of ours.
    """

    number_id: int | None
    month: Month
    kind: Kind
    amount: Decimal | None
    currency: str
    basis: Basis
    period_start: datetime
    period_end: datetime
    per_month: Decimal | None
    note: str = ""


class Beginning(NamedTuple):
    """When a possession began, for the charges. `day` is None where its first month is charged as a full one.

    `listed`: the price was read in that very month; `sure`: the day is known; `acquired`: it began while we looked.
    """

    month: int
    day: date | None
    listed: bool
    sure: bool
    acquired: bool = True
    note: str = ""


# When it began ------------------------------------------------------------------------------------------------------


def beginning(possession: Possession, calendar: Calendar) -> Beginning:
    """The month and the day in which a possession began, and how sure that is."""
    seen_in = calendar.index(possession.acquired_to)
    if possession.acquired_at is not None:
        month, day = calendar.index(possession.acquired_at), calendar.day(possession.acquired_at)
        listed = calendar.index(possession.prices[0].valid_from) == month
        return Beginning(month, day, listed, possession.exact)
    if possession.acquired_from is None:
        return Beginning(seen_in, None, listed=True, sure=False, acquired=False)
    if calendar.index(possession.acquired_from) != seen_in:
        return _across_months(possession, seen_in, calendar)
    day = calendar.day(possession.acquired_to)
    if calendar.day(possession.acquired_from) == day:
        return Beginning(seen_in, day, listed=True, sure=True)
    days = fitting_days(possession, calendar)
    return Beginning(seen_in, days[0] if len(days) == 1 else day, listed=True, sure=False)


def _across_months(possession: Possession, seen_in: int, calendar: Calendar) -> Beginning:
    """First seen in another month than it was last absent in: the first month's price may tell which it was."""
    days = fitting_days(possession, calendar)
    here = [day for day in days if Month.of(day.year, day.month).index == seen_in]
    month, day = seen_in, None
    note = f"The day it was bought is not known: {Month(seen_in - 1).label} may be billed as well."
    if here:
        day = here[0]
    elif len(days) == 1:
        day, month = days[0], Month.of(days[0].year, days[0].month).index
        note = f"Bought about {day.day} {day:%b %Y}, inferred from the first month's price."
    return Beginning(month, day, listed=False, sure=False, note=note)


def fitting_days(possession: Possession, calendar: Calendar) -> list[date]:
    """Days of (acquired_from, acquired_to] for which the first month costs what the provider said it does.

    Compared with the tolerance of a figure rounded to 6 decimals. None when a price is unknown or zero.
    """
    price = possession.prices[0]
    if not price.per_month or price.initial_month is None or possession.acquired_from is None:
        return []
    told, monthly = to_micro(price.initial_month), to_micro(price.per_month)
    first, last = calendar.day(possession.acquired_from), calendar.day(possession.acquired_to)
    days = (first + timedelta(days=later) for later in range((last - first).days + 1))
    return [day for day in days if _fits(told, monthly, day)]


def _fits(told: int, monthly: int, day: date) -> bool:
    """Is that the share of the monthly price from this day on? Both in micro-units."""
    apart = abs(told * days_in_month(day) - monthly * _days_left(day))
    return apart * 10**7 <= days_in_month(day) * (10**7 + monthly)


def _days_left(day: date) -> int:
    return days_in_month(day) - day.day + TODAY_IS_CHARGED


# What it costs ------------------------------------------------------------------------------------------------------


def stretches(possession: Possession, first: Month, last: Month, calendar: Calendar) -> list[Stretch]:
    """Everything charged for a possession from one month to another, in runs of equal months."""
    began = beginning(possession, calendar)
    found = list(_opening(possession, began)) if first.index <= began.month <= last.index else []
    start = max(first.index, began.month + (began.day is not None))
    end = last.index
    if possession.last_seen is not None:
        end = min(end, calendar.index(possession.last_seen))
    if began.acquired and start == began.month and start <= end:
        whole = _rents(possession, start, start, calendar)
        found += [stretch._replace(basis=Basis.INFERRED, note=began.note) for stretch in whole]
        start += 1
    return found + _rents(possession, start, end, calendar) if start <= end else found


def _opening(possession: Possession, began: Beginning) -> Iterator[Stretch]:
    """Set-up and first month. What was there when records began has neither, a full first month no second one."""
    price, month = possession.prices[0], began.month
    note = began.note or "Bought again: an earlier possession had ended." * possession.bought_again
    if began.acquired and (price.setup or (price.setup is None and price.per_month is not None)):
        basis = Basis.QUOTED if price.quoted else Basis.LISTED if began.listed else Basis.INFERRED
        yield Stretch(Kind.SETUP, month, month, price.setup, price.currency, basis, price.per_month, note)
    if began.day is not None:
        amount, basis = _first_month(price, began, began.day)
        yield Stretch(Kind.INITIAL, month, month, amount, price.currency, basis, price.per_month, note)


def _first_month(price: Price, began: Beginning, day: date) -> tuple[Decimal | None, Basis]:
    """The first month as the provider said it; where it said nothing, the share of the days that were left."""
    told, monthly = price.initial_month, price.per_month
    fits = told is not None and bool(monthly) and _fits(to_micro(told), to_micro(monthly or ZERO), day)
    if told is not None and price.quoted and (began.listed or fits):
        return told, Basis.QUOTED if began.sure or not began.note else Basis.INFERRED
    if told is not None and began.listed:
        return told, Basis.LISTED
    # A figure read in a later month may be that month's own: where the day is known it has to fit it.
    if told is not None and (fits or not began.sure):
        return told, Basis.INFERRED
    share = None if monthly is None else prorate(monthly, _days_left(day), days_in_month(day))
    return share, Basis.COMPUTED if began.sure and began.listed else Basis.INFERRED


def _rents(possession: Possession, start: int, end: int, calendar: Calendar) -> list[Stretch]:
    """Full months from `start` to `end`, each at the price in force when it begins; the newest version first."""
    found: list[Stretch] = []
    prices = possession.prices
    listed = end if possession.listed_until is None else calendar.index(possession.listed_until)
    for at in range(len(prices) - 1, -1, -1):
        price, before = prices[at], prices[at - 1] if at else None
        since = start if before is None else max(start, calendar.index(_in_force_until(before, price)) + 1)
        if since > end:
            continue
        doubt = "" if before is None else _doubt(before, price)
        doubtful = calendar.index(price.valid_from) if doubt else since - 1
        sure = max(since, doubtful + 1)
        parts = [
            (since, min(end, doubtful), Basis.INFERRED, doubt),
            (sure, min(end, listed), Basis.LISTED, ""),
            (max(sure, listed + 1), end, Basis.INFERRED, NOT_LISTED),
        ]
        monthly, currency = price.per_month, price.currency
        found += [
            Stretch(Kind.RECURRING, first, last, monthly, currency, basis, monthly, note)
            for first, last, basis, note in parts
            if first <= last
        ]
        end = since - 1
    return found


def _in_force_until(before: Price, price: Price) -> datetime:
    """The last moment at which the version before was certainly in force."""
    if price.not_before is not None:
        return max(price.not_before, before.valid_from)
    return before.valid_to if _gap(before, price) and before.valid_to else before.valid_from


def _gap(before: Price, price: Price) -> bool:
    return before.valid_to is not None and before.valid_to < price.valid_from


def _doubt(before: Price, price: Price) -> str:
    """Why a month is inferred that begins while this version comes into force; empty when it is not."""
    if _gap(before, price):
        return "Gone from the list for a while, then back: probably never cancelled."
    if (before.per_month, before.currency) != (price.per_month, price.currency):
        return "The price changed around the 1st, the new one is used."
    return ""


# Lines --------------------------------------------------------------------------------------------------------------


def charges(possession: Possession, first: Month, last: Month, calendar: Calendar) -> list[Charge]:
    """The lines of a possession from one month to another, by month and then in the order of `Kind`."""
    found = stretches(possession, first.previous, last, calendar)
    months = range(first.index, last.index + 1)
    lines = [
        _line(possession, stretch, Month(index), found, calendar)
        for stretch in found
        for index in months[max(0, stretch.first - first.index) : max(0, stretch.last + 1 - first.index)]
    ]
    return lines if len(lines) < 2 else sorted(lines, key=lambda line: (line.month, ORDER[line.kind]))


def _line(
    possession: Possession, stretch: Stretch, month: Month, found: list[Stretch], calendar: Calendar
) -> Charge:
    start, end = calendar.start(month), calendar.end(month)
    if stretch.kind is not Kind.RECURRING:
        day = beginning(possession, calendar).day or calendar.day(possession.acquired_to)
        start = calendar.midnight(day)
        end = calendar.next_midnight(day) if stretch.kind is Kind.SETUP else end
    return Charge(
        possession.id,
        month,
        stretch.kind,
        stretch.amount,
        stretch.currency,
        stretch.basis,
        start,
        end,
        stretch.per_month,
        " ".join(_remarks(possession, stretch, month, found, calendar)),
    )


def _remarks(
    possession: Possession, stretch: Stretch, month: Month, found: list[Stretch], calendar: Calendar
) -> Iterator[str]:
    if stretch.note:
        yield stretch.note
    if stretch.amount is None:
        yield NO_PRICE
    if stretch.kind is Kind.SETUP:
        return
    if other := _currency_before(stretch, month, found) if len(found) > 1 else "":
        yield f"The currency changed from {other} to {stretch.currency}."
    seen, gone = possession.last_seen, possession.gone_by
    if seen and gone and calendar.index(seen) == month.index < calendar.index(gone):
        yield f"Gone between {calendar.day(seen)} and {calendar.day(gone)}: {month.next.label} may be billed as well."


def _currency_before(stretch: Stretch, month: Month, found: list[Stretch]) -> str:
    """Another currency that was charged for the month before or is for this one; empty without."""
    before = {
        one.currency
        for one in found
        if one.kind is not Kind.SETUP and one.first < month.index <= one.last + 1
    }
    return next(iter(before - {stretch.currency, ""}), "") if stretch.currency else ""
