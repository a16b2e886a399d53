"""How an invoice compares with our costs, number by number. Pure: no query, no clock.

The invoice's total is ours plus the sum of all differences, exactly, because every row and every charge is in one
line.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from numbersadmin.invoices.models import Status, Why
from numbersadmin.money import ZERO, minor_units


class Key(NamedTuple):
    """What is compared: a number in one currency; `kind` is empty unless kinds are compared."""

    number: str
    currency: str
    kind: str


class Billed(NamedTuple):
    """One row of the invoice that counts."""

    key: Key
    amount: Decimal


class Ours(NamedTuple):
    """One charge of ours. Amount None is unknown; `posted` is the ledger's id of a correction from an invoice."""

    key: Key
    amount: Decimal | None
    country: str = ""
    owned_number: int | None = None
    posted: int | None = None


@dataclass(slots=True)
class Line:
    """Both sides of one key. `theirs`, `ours` are None where that side says nothing of it."""

    key: Key
    rows: int = 0
    theirs: Decimal | None = None
    ours: Decimal | None = None
    owned_number: int | None = None
    country: str = ""
    settled_by: int | None = None
    several: bool = False  # numbers of several countries
    status: Status = Status.MATCHED
    why: str = ""

    @property
    def difference(self) -> Decimal:
        """Theirs less ours; what a side does not mention is nothing of it."""
        return (self.theirs or ZERO) - (self.ours or ZERO)


@dataclass(slots=True)
class _Known:
    """What we say of one number in whatever currency and kind."""

    currencies: set[str] = field(default_factory=set)
    unpriced: bool = False


def compare(billed: Iterable[Billed], ours: Iterable[Ours], *, currency: str = "") -> Iterator[Line]:
    """A line for every number that either side mentions, in the order in which they come up.

    Our costs count in the invoice's `currency`, else in those that its rows name: it says nothing of any other.
    """
    lines: dict[Key, Line] = {}
    for key, amount in billed:
        line = lines.get(key) or lines.setdefault(key, Line(key))
        line.rows += 1
        line.theirs = (line.theirs or ZERO) + amount
    named = {currency} if currency else {key.currency for key in lines}
    known: dict[str, _Known] = {}
    for charge in ours:
        number = known.setdefault(charge.key.number, _Known())
        if charge.amount is None:
            number.unpriced = True
            continue
        number.currencies.add(charge.key.currency)
        if charge.key.currency not in named:
            continue
        _add(lines.get(charge.key) or lines.setdefault(charge.key, Line(charge.key)), charge, charge.amount)
    for line in lines.values():
        line.status = status_of(line)
        line.why = _why(line, known.get(line.key.number))
        yield line


def _add(line: Line, charge: Ours, amount: Decimal) -> None:
    line.ours = (line.ours or ZERO) + amount
    line.several = line.several or bool(line.country and charge.country and line.country != charge.country)
    line.country = charge.country or line.country
    line.owned_number = charge.owned_number or line.owned_number  # the newest possession of the number
    line.settled_by = charge.posted or line.settled_by


def status_of(line: Line) -> Status:
    """How the two sides compare; an amount that differs by one minor unit at most was rounded by the provider."""
    if line.several:
        return Status.AMBIGUOUS
    unit = Decimal(1).scaleb(-minor_units(line.key.currency))
    if line.ours is None:
        return Status.ONLY_INVOICE
    if abs(line.difference) > (ZERO if line.theirs is None else unit):
        return Status.ONLY_LEDGER if line.theirs is None else Status.DIFFERENT
    return Status.SETTLED if line.settled_by else Status.MATCHED


def _why(line: Line, known: _Known | None) -> str:
    """What is behind it. That a number was never ours only the records can tell: services.py."""
    if line.status == Status.AMBIGUOUS:
        return Why.COUNTRIES
    if line.status in (Status.MATCHED, Status.SETTLED):
        return ""
    if not line.key.number:
        return Why.NO_NUMBER
    if known and known.unpriced:
        return Why.NO_PRICE
    if line.status != Status.ONLY_INVOICE:
        return ""
    if known is None:
        return Why.NOT_CHARGED
    return Why.OTHER_KIND if line.key.currency in known.currencies else Why.OTHER_CURRENCY
