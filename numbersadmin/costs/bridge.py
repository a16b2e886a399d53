"""Why a month costs another amount than the one before: every difference has one reason, and they add up exactly.

Pure, like charges.py. `rent` is the one `initial` or `recurring` line that a number has in a month at most.
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from typing import Protocol

from numbersadmin.costs.charges import Kind
from numbersadmin.costs.ledger import Entry
from numbersadmin.costs.possessions import Subject
from numbersadmin.money import ZERO, Totals, rounded

RENTS = frozenset({Kind.INITIAL, Kind.RECURRING})


class Part(StrEnum):
    """A reason, in the order in which they are shown."""

    SETUP_BEFORE = "setup_before"
    FULL_MONTH = "full_month"
    NEW = "new"
    RETURNED = "returned"
    SETUP = "setup"
    PRICE = "price"
    CURRENCY = "currency"
    UNPRICED = "unpriced"
    CORRECTIONS = "corrections"
    CANCELLED = "cancelled"


class Line(Protocol):
    """What a bridge reads of a charge, or of a stretch of equal ones."""

    @property
    def kind(self) -> Kind: ...
    @property
    def amount(self) -> Decimal | None: ...
    @property
    def currency(self) -> str: ...
    @property
    def per_month(self) -> Decimal | None: ...


Difference = tuple[str, Part, Decimal]


def explain(before: Iterable[Line], after: Iterable[Line], *, returned: bool) -> list[Difference]:
    """Currency, reason and amount of everything that changed for one number from one month to another.

    `returned`: it was ours before that month began, so a new rent is none of a new number. Never an amount of 0.
    """
    was, now = list(before), list(after)
    found = list(_rents(_rent(was), _rent(now), returned))
    for currency, amount in _net(was, now, Kind.SETUP).items():
        found.append((currency, Part.SETUP if amount > 0 else Part.SETUP_BEFORE, amount))
    for currency, amount in _net(was, now, Kind.ADJUSTMENT).items():
        found.append((currency, Part.CORRECTIONS, amount))
    return [one for one in found if one[2]]


def _rent(lines: list[Line]) -> Line | None:
    return next((line for line in lines if line.kind in RENTS), None)


def _net(was: list[Line], now: list[Line], kind: Kind) -> Totals:
    """How much more lines of one kind come to than they did."""
    new, old = (
        Totals.of((line.currency, line.amount) for line in lines if line.kind is kind) for lines in (now, was)
    )
    return new - old


def _rents(was: Line | None, now: Line | None, returned: bool) -> Iterator[Difference]:
    """What became of the rent; an unknown one is in no total, so its coming and going is a reason of its own."""
    old, new = (None if one is None else one.amount for one in (was, now))
    if was and now and old is not None and new is not None and was.currency == now.currency:
        full_old, full_new = (
            one.amount or ZERO if one.per_month is None else one.per_month for one in (was, now)
        )
        yield now.currency, Part.PRICE, full_new - full_old
        yield now.currency, Part.FULL_MONTH, (new - full_new) - (old - full_old)
        return
    both = was is not None and now is not None
    other = Part.UNPRICED if both and (old is None or new is None) else Part.CURRENCY
    if was and old is not None:
        yield was.currency, other if both else Part.CANCELLED, -old
    if now and new is not None:
        yield now.currency, other if both else Part.RETURNED if returned else Part.NEW, new


@dataclass(frozen=True, slots=True)
class Change:
    """One reason for one number, with what it cost in both months in that currency (None: not known)."""

    subject: Subject
    currency: str
    part: Part
    amount: Decimal
    before: Decimal | None
    after: Decimal | None


def changes(before: Iterable[Entry], after: Iterable[Entry], seen: Container[int | None]) -> Iterator[Change]:
    """Every change between two statements, by number; `seen` are the numbers ours before the second month began."""
    old, new = _by_number(before), _by_number(after)
    for number in [*new, *(number for number in old if number not in new)]:
        was, now = old.get(number, []), new.get(number, [])
        subject = (now or was)[0].subject
        lines = [one.charge for one in was], [one.charge for one in now]
        for currency, part, amount in explain(*lines, returned=number in seen):
            yield Change(subject, currency, part, amount, *(_cost(one, currency) for one in lines))


def _by_number(entries: Iterable[Entry]) -> dict[int | None, list[Entry]]:
    return {number: list(of) for number, of in groupby(entries, lambda entry: entry.subject.id)}


def _cost(lines: Iterable[Line], currency: str) -> Decimal | None:
    """What a number costs in one currency; None when that is not known."""
    amounts = [line.amount for line in lines if line.currency in (currency, "")]
    return None if None in amounts else sum((amount for amount in amounts if amount is not None), ZERO)


def shown(before: Decimal, parts: list[Decimal], currency: str) -> list[Decimal]:
    """Parts rounded so that the shown month before and they add up to the shown month after."""
    found, exact = [], before
    for part in parts:
        found.append(rounded(exact + part, currency) - rounded(exact, currency))
        exact += part
    return found
