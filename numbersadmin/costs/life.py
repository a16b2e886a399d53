"""The whole life of a phone number as one timeline: what the provider said, orders, people's changes, charges."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from numbersadmin.costs.charges import Basis, Kind
from numbersadmin.costs.lines import BASIS_NAMES, Line
from numbersadmin.costs.months import Calendar
from numbersadmin.formats import LONGEST_SHORT_CODE, money_text
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.numbers.selectors import history
from numbersadmin.orders.models import OrderItem

KINDS = {
    history.ALL: "All",
    history.CHANGES: "Changes",
    history.ORDERS: "Orders",
    history.COST: "Cost",
}
_CORRECTIONS = 1 << 40
"""Corrections have their place after all charges of the same moment, in the order in which they were posted."""


@dataclass(frozen=True, slots=True)
class Life:
    """Some moments, newest first, and the place where older ones begin (empty: there are none)."""

    moments: list[history.Moment]
    older: str


def life(
    every: list[OwnedNumber],
    lines: list[Line],
    calendar: Calendar,
    *,
    kind: str = history.ALL,
    before: history.Place | None = None,
) -> Life:
    """One page of the life of a number. `every` is every time it was ours, newest first; `lines` its charges."""
    most = history.PAGE + 1
    found = history.events(every, items=_items(every[0]), kind=kind, before=before, most=most)
    more: list[history.Moment] = []
    if kind in (history.ALL, history.CHANGES):
        more += history.gaps(every)
    if kind in (history.ALL, history.COST):
        began = {one.pk: one.acquired_at or one.acquired_to for one in every}
        more += [_charged(line, began, calendar) for line in lines]
    found += [one for one in more if before is None or one.place < before]
    found.sort(key=lambda one: one.place, reverse=True)
    shown = found[: history.PAGE]
    return Life(shown, history.written(shown[-1].place) if len(found) > len(shown) else "")


def _items(owned: OwnedNumber) -> list[int]:
    """Its items in orders. A short code may be another country's, longer digits are unique in the world."""
    items = OrderItem.objects.filter(number=owned.number)
    if len(owned.number) <= LONGEST_SHORT_CODE:
        items = items.filter(country=owned.country)
    return list(items.values_list("id", flat=True))


def _charged(line: Line, began: dict[int, datetime], calendar: Calendar) -> history.Moment:
    """A charge at the beginning of what it is for; what is charged once right after the number became ours."""
    charge = line.charge
    pk, once = line.subject.id or 0, charge.kind in (Kind.SETUP, Kind.INITIAL)
    at = max(charge.period_start, began[pk]) if once else charge.period_start
    order = pk * len(Kind) + list(Kind).index(charge.kind)
    if charge.kind is Kind.ADJUSTMENT:  # there may be several about one month
        order = _CORRECTIONS + (line.id or 0)
    return history.Moment(
        place=(at, history.CHARGE, order),
        at=calendar.day(charge.period_start),
        icon="receipt",
        tone="info",
        who="",
        text=", ".join(_words(line)),
        quote=charge.note,
    )


def _words(line: Line) -> Iterator[str]:
    charge = line.charge
    if charge.kind is Kind.ADJUSTMENT:
        yield f"{line.words} {money_text(charge.amount, charge.currency)}"
        return
    what = "Set-up" if charge.kind is Kind.SETUP else charge.month.label
    unknown = charge.amount is None
    yield f"{what} charged{': amount unknown' if unknown else f' {money_text(charge.amount, charge.currency)}'}"
    if charge.kind is Kind.INITIAL:
        yield line.words[:1].lower() + line.words[1:]
    if not unknown and charge.basis in (Basis.COMPUTED, Basis.INFERRED):
        yield BASIS_NAMES[charge.basis].lower()
