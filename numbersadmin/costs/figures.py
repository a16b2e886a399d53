"""Sums of months as they stand now: of what is computed and of what the ledger has, from the database in one pass."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum

from numbersadmin.costs import report
from numbersadmin.costs.bridge import RENTS, Part
from numbersadmin.costs.charges import Basis, Kind, Stretch, stretches
from numbersadmin.costs.classes import Classes
from numbersadmin.costs.digest import LineSums
from numbersadmin.costs.ledger import Records, carried, computed, entry_of, posted_lines, statement
from numbersadmin.costs.models import LedgerLine
from numbersadmin.costs.months import Month
from numbersadmin.costs.pairs import frozen_differences
from numbersadmin.costs.possessions import held_among, held_with, named_at_once
from numbersadmin.costs.report import ABOUT, BASIS, BRIDGE, TOTAL, UNPRICED, Adder, Figures
from numbersadmin.money import ZERO
from numbersadmin.rows import by_hash_only


def figures(
    known: Records, first: Month, last: Month, groupings: Collection[str], *, shown: Month | None, alike: bool
) -> Figures:
    """Figures of the months from one to another, which may be one ahead, split by these groupings.

    Differences to the month before are there for the month `shown` and every open one, without it for every one.
    `alike`: let the database put numbers alike together first, which pays for many numbers.
    """
    found = Figures()
    start = max(first, first_open(known))
    if start <= last:
        _add_open(found, known, start, last, groupings, alike)
    _add_posted(found, known, first, last, groupings)
    for index in range(first.index, min(start.index, last.index + 1)):
        if shown in (None, Month(index)) and known.frozen(Month(index - 1)):
            for (currency, part, amount), numbers in frozen_differences(known, Month(index)):
                found.add(index, BRIDGE, currency, part, report.Sum(numbers, 0, amount))
    return found


def _add_open(
    found: Figures, known: Records, first: Month, last: Month, groupings: Collection[str], alike: bool
) -> None:
    """Add what is computed for months that are not closed."""
    adder = Adder(first, last, groupings)
    posted = first.previous if known.frozen(first.previous) else None

    classes = Classes(known, first, last, posted)
    numbers: Iterable[Any]
    if alike:
        with by_hash_only():
            for one in classes.alike(groupings):
                if one.by:
                    adder.group(one.by, one.value, one.found, one.times)
                else:
                    adder.whole(one.found, one.seen_in, one.times, one.posted if posted else None)
            ids = list(classes.others.values_list("id", flat=True))
        numbers, held = named_at_once(ids), held_with(ids, known.listed)
    else:
        numbers = [classes.all.order_by().values("id")]
        held = held_among(classes.all, known.listed)
    lines = _charged_in(posted, numbers) if posted else {}
    for one_held in held:
        of_it = stretches(one_held.possession, first, last, known.calendar)
        seen_in = known.calendar.index(one_held.possession.acquired_to)
        adder.add(one_held.subject, of_it, seen_in, lines.get(one_held.subject.id, []) if posted else None)
    adder.into(found)


def _charged_in(month: Month, numbers: Iterable[Any]) -> dict[int | None, list[Stretch]]:
    """What the ledger charges for these numbers in a month, corrections apart; their ids, some at a time."""
    found: dict[int | None, list[Stretch]] = defaultdict(list)
    rows = LedgerLine.objects.filter(month=str(month)).exclude(kind=Kind.ADJUSTMENT)
    columns = ("owned_number_id", "kind", "amount", "currency", "basis", "per_month")
    for some in numbers:
        of_these = rows.filter(owned_number__in=some).values_list(*columns)
        for number, kind, amount, currency, basis, full in of_these:
            found[number].append(Stretch(Kind(kind), 0, 0, amount, currency, Basis(basis), full))
    return found


def first_open(known: Records) -> Month:
    """The month with which computing begins: months are closed in turn, and what is before it is in the ledger."""
    frozen = [month for month in known.closes if known.frozen(month)]
    return max(frozen).next if frozen else known.first or known.current


def _add_posted(
    found: Figures, known: Records, first: Month, last: Month, groupings: Collection[str]
) -> None:
    """Add what the ledger has of these months: all lines of those that are closed, and every correction."""
    rows = carried(known).filter(month__gte=str(first), month__lte=str(last))
    for month, currency, basis, one in _sums(rows, "basis"):
        found.add(month, TOTAL, currency, "", one)
        if one.amount:
            found.add(month, BASIS, currency, basis, report.Sum(one.numbers, 0, one.amount))
    corrections = LedgerLine.objects.filter(
        kind=Kind.ADJUSTMENT, month__gte=str(first.previous), month__lte=str(last)
    )
    for month, currency, one in _sums(corrections):
        for index, sign in ((month, 1), (month + 1, -1)):
            if first.index <= index <= last.index:
                found.add(index, BRIDGE, currency, Part.CORRECTIONS, report.Sum(0, 0, one.amount * sign))
    elsewhere = rows.exclude(corrects="").exclude(corrects=F("month"))
    for month, currency, about, one in _sums(elsewhere, "corrects"):
        found.add(month, ABOUT, currency, about, one)
    for by in groupings:
        for month, currency, value, one in _sums(rows, by):
            found.add(month, by, currency, value if isinstance(value, str) else ", ".join(value), one)
    unknown = rows.filter(amount=None).values("month").order_by()
    for row in unknown.annotate(numbers=Count("owned_number", distinct=True)):
        found.add(Month.parse(row["month"]).index, UNPRICED, "", "", report.Sum(row["numbers"]))


def _sums(rows: QuerySet[LedgerLine], *split: str) -> Iterator[tuple]:
    counted = rows.values("month", "currency", *split).order_by()
    figures = {
        "numbers": Count("id", filter=Q(kind__in=RENTS)),
        "unpriced": Count("id", filter=Q(amount=None)),
        "sum": Sum("amount"),
    }
    for row in counted.annotate(**figures):
        one = report.Sum(row["numbers"], row["unpriced"], row["sum"] or ZERO)
        yield Month.parse(row["month"]).index, row["currency"], *(row[name] for name in split), one


def line_sums(known: Records, month: Month, waived: frozenset[int], *, alike: bool) -> LineSums:
    """What the lines of a month on record add up to; `waived` numbers may go without a price, `alike` is as above."""
    found = LineSums(waived)
    if known.frozen(month) or not alike:
        for entry in statement(known, month):
            found.add(entry)
        return found
    classes = Classes(known, month, month, None)
    with by_hash_only():
        for group in classes.alike(()):
            for one in group.found:
                found.count(one, group.times)
        others = list(classes.others.values_list("id", flat=True))
    for entry in computed(held_with(others, known.listed), month, known.calendar):
        found.count(entry.charge, 1)
    for entry in map(entry_of, posted_lines(known, month).iterator(chunk_size=2000)):
        found.add(entry)
    for entry in computed(held_with(waived, known.listed), month, known.calendar):
        found.open_prices -= entry.charge.amount is None
    return found
