"""The lines of a month of a large account: pages by key, so that none costs more than another.

A page holds all lines of some numbers. Its totals are those that were counted ahead (counting.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from numbersadmin.costs import counting
from numbersadmin.costs.labels import single_labels
from numbersadmin.costs.ledger import Entry, Records, carried, computed, entry_of, merged, posted_lines
from numbersadmin.costs.lines import ROWS, UNPRICED, Line, LineFilter, line_of
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import charged_between, held_among
from numbersadmin.costs.report import TOTAL
from numbersadmin.costs.selectors import NONE
from numbersadmin.money import Totals
from numbersadmin.numbers.models import NumberVersion, OwnedNumber

AT_A_TIME = 100  # numbers that are read together
COLUMNS = {
    "country": "country",
    "type": "type",
    "capabilities": "capabilities",
    "owner": "owner__username",
    "cost_centre": "cost_centre",
}


@dataclass(frozen=True, slots=True)
class KeyedLines:
    """Lines from one number on. `totals` and `unpriced` are None where several things narrow them: not counted."""

    lines: list[Line]
    totals: Totals | None
    unpriced: int | None
    next_key: int | None


def keyed_lines(known: Records, month: Month, wanted: LineFilter, after: int, now: datetime) -> KeyedLines:
    """The lines that fit of the numbers after this one. Raises NotCounted."""
    found: list[Entry] = []
    next_key = None
    for entry in _fitting(known, month, wanted, after):
        if len(found) >= ROWS and entry.subject.id != found[-1].subject.id:
            next_key = found[-1].subject.id
            break
        found.append(entry)
    totals, unpriced = _totals(known, month, wanted, now)
    return KeyedLines([line_of(entry, known.calendar) for entry in found], totals, unpriced, next_key)


def _fitting(known: Records, month: Month, wanted: LineFilter, after: int) -> Iterator[Entry]:
    """In the order of `ledger.statement`, read as far as the caller goes on."""
    numbers = _numbers(known, month, wanted)
    ids = [after]
    while ids:
        ids = list(numbers.filter(id__gt=ids[-1]).values_list("id", flat=True)[:AT_A_TIME])
        of_these = Q(owned_number__in=ids) if ids else Q(owned_number=None)  # last, those about no number
        entries: Iterator[Entry] = map(entry_of, posted_lines(known, month).filter(of_these))
        if ids and not known.frozen(month):
            held = held_among(OwnedNumber.objects.filter(id__in=ids), known.listed)
            entries = merged(computed(held, month, known.calendar), entries)
        for entry in entries:
            if wanted.holds(entry.subject) and wanted.counts(entry.charge):
                yield entry


def _numbers(known: Records, month: Month, wanted: LineFilter) -> QuerySet[OwnedNumber]:
    """By id, those that may have a line that fits; labels narrow nothing here."""
    posted = carried(known).filter(month=str(month), owned_number=OuterRef("pk"))
    numbers = OwnedNumber.objects.order_by("id")
    if known.frozen(month):
        return numbers.filter(Exists(posted))
    held = charged_between(month, month, known.calendar)
    for by, column in COLUMNS.items():
        if value := wanted.chosen.get(by):
            held &= Q(**{column: value}) if value != NONE else Q(**{column: ""}) | Q(**{column: None})
    if wanted.cur:
        price = Q(price_per_month=None) | Q(setup_price=None) | Q(currency="")
        fits = price if wanted.cur == UNPRICED else Q(currency=wanted.cur)
        held &= Q(Exists(NumberVersion.objects.filter(fits, owned_number=OuterRef("pk"))))
    return numbers.filter(held | Q(Exists(posted)))


def _totals(
    known: Records, month: Month, wanted: LineFilter, now: datetime
) -> tuple[Totals | None, int | None]:
    """What all that fit come to, and how many have no amount."""
    narrowed = {by: "" if value == NONE else value for by, value in wanted.chosen.items() if by != "cur"}
    if len(narrowed) > 1:
        return None, None
    by, value = next(iter(narrowed.items()), (TOTAL, ""))
    by, fits = ("labels", single_labels) if by == "label" else (by, lambda group: [group])
    found, _ = counting.figures(known, month, month, by=by, shown=month, now=now)
    sums = [(code, one) for (code, group), one in found.of(month, by).items() if value in fits(group)]
    unpriced = sum(one.unpriced for code, one in sums if wanted.cur in ("", UNPRICED, code))
    amounts = [(code, one.known) for code, one in sums if code and wanted.cur in ("", code)]
    return Totals.of(amounts), unpriced
