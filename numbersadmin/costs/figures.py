"""Sums of months as they stand now: of what is computed and of what the ledger has, from the database in one pass."""

from collections.abc import Collection, Iterator

from django.db.models import Count, Q, QuerySet, Sum

from numbersadmin.costs import report
from numbersadmin.costs.bridge import RENTS, Change, Part, changes
from numbersadmin.costs.charges import Kind, stretches
from numbersadmin.costs.ledger import Entry, Records, computed, statement
from numbersadmin.costs.models import LedgerLine
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import held_between
from numbersadmin.costs.report import BASIS, BRIDGE, TOTAL, UNPRICED, Adder, Figures
from numbersadmin.money import ZERO
from numbersadmin.numbers.models import OwnedNumber


def live(known: Records, first: Month, last: Month, groupings: Collection[str], bridge: Month) -> Figures:
    """Figures of the months from one to another, which may be one ahead, split by these groupings.

    Differences to the month before are sure to be there for the month `bridge`.
    """
    found = Figures()
    start = max(first, first_open(known))
    if start <= last:
        adder = Adder(start, last, groupings)
        for held in held_between(start, last, known.calendar, known.listed):
            of_it = stretches(held.possession, start, last, known.calendar)
            adder.add(held.subject, of_it, known.calendar.index(held.possession.acquired_to))
        adder.into(found)
    add_posted(found, first, last, groupings)
    if known.frozen(bridge.previous):
        for change in differences(known, bridge):
            if change.part is not Part.CORRECTIONS:  # those are counted with the ledger
                one = report.Sum(1, 0, change.amount)
                found.add(bridge.index, BRIDGE, change.currency, change.part, one)
    return found


def first_open(known: Records) -> Month:
    """The month with which computing begins: months are closed in turn, and what is before it is in the ledger."""
    frozen = [month for month in known.closes if known.frozen(month)]
    return max(frozen).next if frozen else known.first or known.current


def add_posted(found: Figures, first: Month, last: Month, groupings: Collection[str]) -> None:
    """Add what the ledger has of these months: all lines of those that are closed, and every correction."""
    rows = LedgerLine.objects.filter(month__gte=str(first), month__lte=str(last))
    for month, currency, kind, basis, one in _sums(rows, "kind", "basis"):
        found.add(month, TOTAL, currency, "", one)
        if one.amount:
            found.add(month, BASIS, currency, basis, report.Sum(one.numbers, 0, one.amount))
        if kind == Kind.ADJUSTMENT:
            found.add(month, BRIDGE, currency, Part.CORRECTIONS, report.Sum(0, 0, one.amount))
            if month < last.index:
                found.add(month + 1, BRIDGE, currency, Part.CORRECTIONS, report.Sum(0, 0, -one.amount))
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


def differences(known: Records, month: Month) -> Iterator[Change]:
    """Why a month costs another amount than the one before, number by number; `month` may be one ahead."""
    start = known.calendar.start(month)
    seen = set(OwnedNumber.objects.filter(acquired_to__lt=start).values_list("id", flat=True))
    return changes(lines_of(known, month.previous), lines_of(known, month), seen)


def lines_of(known: Records, month: Month) -> Iterator[Entry]:
    """The statement of a month, or what the next one will cost if nothing changes."""
    if month <= known.current:
        return statement(known, month)
    return computed(held_between(month, month, known.calendar, known.listed), month, known.calendar)
