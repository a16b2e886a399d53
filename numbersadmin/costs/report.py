"""Adds charges up: per currency, per month and per group, in one pass over the possessions.

Pure, like charges.py. A sum never crosses currencies, and what has no price is counted, not taken for 0.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from itertools import accumulate

from numbersadmin.costs.charges import Basis, Kind, Stretch, stretches
from numbersadmin.costs.months import Calendar, Month
from numbersadmin.costs.possessions import Held, Subject
from numbersadmin.formats import MINUS
from numbersadmin.money import ZERO, Totals, rounded_lines

GROUPINGS: dict[str, Callable[[Subject], str]] = {
    "country": lambda subject: subject.country,
    "type": lambda subject: subject.type,
    "capabilities": lambda subject: subject.capabilities,
    "owner": lambda subject: subject.owner,
    "cost_centre": lambda subject: subject.cost_centre,
    "labels": lambda subject: subject.label_set,
}
"""What a month can be split by. Several capabilities or labels are one group, that of the whole set."""


@dataclass(slots=True)
class Sum:
    """What a group of numbers costs in a month and in the one before, in one currency.

    `numbers` are those charged for in the month; `unpriced` of them have a charge without an amount.
    """

    numbers: int = 0
    unpriced: int = 0
    amount: Decimal = ZERO
    before: Decimal = ZERO

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(
            self.numbers + other.numbers,
            self.unpriced + other.unpriced,
            self.amount + other.amount,
            self.before + other.before,
        )


@dataclass(slots=True)
class Report:
    """The month `last`, split by one grouping, and each month's totals since `first`.

    Keys of `groups` are (currency, value); charges without a known currency are under the empty one.
    """

    first: Month
    last: Month
    groups: dict[tuple[str, str], Sum] = field(default_factory=dict)
    by_basis: dict[str, dict[Basis, Decimal]] = field(default_factory=dict)
    unpriced: int = 0
    _steps: dict[str, list[Decimal]] = field(default_factory=dict)

    def add(self, group: str, found: list[Stretch]) -> None:
        """Count one possession's charges."""
        unpriced = False
        for stretch in found:
            now = stretch.last == self.last.index
            if stretch.amount is not None:
                self._step(stretch, stretch.amount)
            if not now and not stretch.first < self.last.index <= stretch.last + 1:
                continue
            total = self.groups.setdefault((stretch.currency, group), Sum())
            if now:
                self._count(total, stretch)
                unpriced = unpriced or stretch.amount is None
            if stretch.first < self.last.index and stretch.amount is not None:
                total.before += stretch.amount
        self.unpriced += unpriced

    def _count(self, total: Sum, stretch: Stretch) -> None:
        total.numbers += stretch.kind is not Kind.SETUP
        if stretch.amount is None:
            total.unpriced += 1
            return
        total.amount += stretch.amount
        bases = self.by_basis.setdefault(stretch.currency, {})
        bases[stretch.basis] = bases.get(stretch.basis, ZERO) + stretch.amount

    def _step(self, stretch: Stretch, amount: Decimal) -> None:
        """Trend as steps up and down, so that a year costs no more than the changes in it."""
        if (steps := self._steps.get(stretch.currency)) is None:
            steps = self._steps[stretch.currency] = [ZERO] * (self.last.index - self.first.index + 2)
        steps[stretch.first - self.first.index] += amount
        steps[stretch.last + 1 - self.first.index] -= amount

    @property
    def currencies(self) -> list[str]:
        """Those charged in this month or the one before, the one with the most numbers first."""
        sums = self.totals
        return sorted(sums, key=lambda currency: (-sums[currency].numbers, currency))

    @property
    def totals(self) -> dict[str, Sum]:
        """Currency -> everything together."""
        found: dict[str, Sum] = {}
        for (currency, _), total in self.groups.items():
            if currency:
                found[currency] = found.get(currency, Sum()) + total
        return found

    @property
    def amounts(self) -> Totals:
        """Currency -> exact total of the month."""
        return Totals({currency: total.amount for currency, total in self.totals.items() if total.numbers})

    def trend(self, currency: str) -> list[tuple[Month, Decimal]]:
        """Each month with its total in one currency, oldest first."""
        steps = self._steps.get(currency, [ZERO] * (self.last.index - self.first.index + 2))
        return [(self.first.plus(at), total) for at, total in enumerate(accumulate(steps[:-1]))]

    def of(self, currency: str) -> list[tuple[str, Sum]]:
        """The groups of one currency, the dearest first."""
        found = [(group, total) for (code, group), total in self.groups.items() if code == currency]
        return sorted(found, key=lambda one: (-one[1].amount, -one[1].before, one[0]))


def report(holdings: Iterable[Held], first: Month, last: Month, by: str, calendar: Calendar) -> Report:
    """Add up what these possessions cost."""
    found = Report(first, last)
    group = GROUPINGS[by]
    for held in holdings:
        found.add(group(held.subject), stretches(held.possession, first, last, calendar))
    return found


def signed_percent(change: Decimal, before: Decimal) -> str:
    """`+1.8%` with a true minus; empty where there was nothing before."""
    if not before:
        return ""
    share = (change * 100 / abs(before)).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return f"{MINUS if share < 0 else '+' if share else ''}{abs(share)}%"


BASIS_WORDS = {
    Basis.QUOTED: "stated by Infobip",
    Basis.LISTED: "stated by Infobip",
    Basis.COMPUTED: "computed from days",
    Basis.INFERRED: "inferred",
    Basis.MANUAL: "entered by people",
    Basis.INVOICE: "from invoices",
}


def basis_words(amounts: dict[Basis, Decimal]) -> list[str]:
    """How much of the money rests on what: `96% stated by Infobip`, `4% inferred`. A trace is never 0%."""
    total = sum(amounts.values(), ZERO)
    parts: dict[str, Decimal] = {}
    for basis in Basis:
        if amounts.get(basis):
            parts[BASIS_WORDS[basis]] = parts.get(BASIS_WORDS[basis], ZERO) + amounts[basis]
    if not total or not parts:
        return []
    exact = [part * 100 / total for part in parts.values()]
    whole = rounded_lines(exact, "JPY")
    return [f"{_percent(*shares)} {words}" for words, *shares in zip(parts, exact, whole, strict=True)]


def _percent(exact: Decimal, whole: Decimal) -> str:
    if exact < 1:
        return "under 1%"
    return "over 99%" if 99 < exact < 100 else f"{whole}%"
