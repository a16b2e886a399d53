"""Adds charges up: per currency, per month and per group, in one pass over the possessions.

Pure, like charges.py. A sum never crosses currencies, and what has no price is counted, not taken for 0.
Where it comes from, and how it is kept for large accounts, is no matter here: figures.py, counting.py.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from numbersadmin.costs.bridge import Difference, Line, Part, explain
from numbersadmin.costs.charges import Basis, Kind, Stretch
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject
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

# What is counted beside the groupings: everything together, by how it is known (Basis), what changed since the
# month before (bridge.Part), how many numbers have a charge without an amount, and corrections about other months.
TOTAL, BASIS, BRIDGE, UNPRICED, ABOUT = "total", "basis", "bridge", "unpriced", "about"


@dataclass(slots=True, order=True)
class Sum:
    """What a group of numbers costs in a month, in one currency.

    `numbers` are those with a rent for the month; `unpriced` counts the charges without an amount.
    """

    numbers: int = 0
    unpriced: int = 0
    amount: Decimal = ZERO

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.numbers + other.numbers, self.unpriced + other.unpriced, self.amount + other.amount)

    def __bool__(self) -> bool:
        return bool(self.numbers or self.unpriced or self.amount)

    @property
    def known(self) -> Decimal | None:
        """The amount as it may be said; None where some charge has none and the others come to nothing."""
        return None if self.unpriced and not self.amount else self.amount


class Figures:
    """Sums of months: month, what they are split by, currency and value.

    Charges without a known currency are under the empty one.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[int, str], dict[tuple[str, str], Sum]] = defaultdict(dict)

    def add(self, month: int, by: str, currency: str, value: str, one: Sum) -> None:
        """Add to a figure of the month with this index."""
        group = self._sums[month, by]
        group[currency, value] = group.get((currency, value), Sum()) + one

    def of(self, month: Month, by: str) -> dict[tuple[str, str], Sum]:
        """(currency, value) -> sum; without what is nothing at all."""
        return {key: one for key, one in self._sums.get((month.index, by), {}).items() if one}

    def __iter__(self) -> Iterator[tuple[int, str, str, str, Sum]]:
        for (month, by), group in self._sums.items():
            yield from ((month, by, *key, one) for key, one in group.items() if one)

    def take(self, other: "Figures") -> None:
        """Add all figures of another count, of other months."""
        for figure in other:
            self.add(*figure)

    def in_month(self, month: Month) -> Iterator[tuple[str, str, str, Sum]]:
        """Every figure of one month: what it is split by, currency, value and sum."""
        for by in (*GROUPINGS, TOTAL, BASIS, BRIDGE, UNPRICED, ABOUT):
            yield from ((by, *key, one) for key, one in self.of(month, by).items())

    def totals(self, month: Month) -> dict[str, Sum]:
        """Currency -> everything together."""
        return {currency: one for (currency, _), one in self.of(month, TOTAL).items() if currency}

    def amounts(self, month: Month) -> Totals:
        """Currency -> exact total of the month; without those in `unknown`."""
        return Totals.of((currency, one.known) for currency, one in self.totals(month).items())

    def unknown(self, month: Month) -> frozenset[str]:
        """Currencies in which something is charged, and nothing is known of what it comes to."""
        return frozenset(currency for currency, one in self.totals(month).items() if one.known is None)

    def unpriced(self, month: Month) -> int:
        """How many numbers have a charge without an amount."""
        return sum(one.numbers for one in self.of(month, UNPRICED).values())

    def bases(self, month: Month, currency: str) -> dict[Basis, Decimal]:
        """How much of the money rests on what."""
        found = self.of(month, BASIS).items()
        return {Basis(value): one.amount for (code, value), one in found if code == currency}

    def bridge(self, month: Month, currency: str) -> dict[Part, Sum]:
        """Why the month costs another amount than the one before."""
        found = self.of(month, BRIDGE)
        return {part: found[currency, part] for part in Part if (currency, part) in found}


class Adder:
    """Adds stretches up to figures of the months from `first` to `last`, split by these groupings."""

    def __init__(self, first: Month, last: Month, groupings: Iterable[str]) -> None:
        self._first, self._last = first.index, last.index
        self._groupings = [(by, GROUPINGS[by]) for by in groupings]
        self._steps: dict[tuple[str, str, str], dict[int, Sum]] = defaultdict(dict)
        self._single = Figures()  # what is not the same for several months

    def add(
        self, subject: Subject, found: list[Stretch], seen_in: int, posted: Sequence[Line] | None = None
    ) -> None:
        """Count what is charged for a possession; the parameters are those of `whole`."""
        for by, value_of in self._groupings:
            self.group(by, value_of(subject), found, 1)
        self.whole(found, seen_in, 1, posted)

    def group(self, by: str, value: str, found: list[Stretch], times: int) -> None:
        """Count what is charged for so many possessions that have this value, as part of that group alone."""
        for one in found:
            numbers = 0 if one.kind is Kind.SETUP else times
            self._run(one, by, value, numbers, 0 if one.amount is not None else times)

    def whole(
        self, found: list[Stretch], seen_in: int, times: int, posted: Sequence[Line] | None = None
    ) -> None:
        """Count what is charged for so many possessions alike as part of everything: `found` has their sums.

        `seen_in` is the month in which they were first seen (bridge.explain), `posted` what was charged in the month
        before the first; without it nothing is said about that change.
        """
        unpriced: set[int] = set()
        self.group(TOTAL, "", found, times)
        for one in found:
            if one.amount is None:
                self._count_unpriced(one, unpriced, times)
            else:
                self._run(one, BASIS, one.basis, 0 if one.kind is Kind.SETUP else times, 0)
        self._explain(found, seen_in, times)
        if posted is not None:
            after = [one for one in found if one.first <= self._first]
            self._change(self._first, explain(posted, after, returned=seen_in < self._first), times)

    def _run(self, stretch: Stretch, by: str, value: str, numbers: int, unpriced: int) -> None:
        """A figure that is the same from one month to another is a step up and a step down."""
        steps = self._steps[by, stretch.currency, value]
        for month, sign in ((stretch.first, 1), (stretch.last + 1, -1)):
            step = steps.setdefault(month, Sum())
            step.numbers += numbers * sign
            step.unpriced += unpriced * sign
            step.amount += (stretch.amount or ZERO) * sign

    def _count_unpriced(self, stretch: Stretch, counted: set[int], times: int) -> None:
        """A number is counted once a month, whichever of its charges has no amount."""
        for month in set(range(stretch.first, stretch.last + 1)) - counted:
            counted.add(month)
            self._single.add(month, UNPRICED, "", "", Sum(times))

    def _explain(self, found: list[Stretch], seen_in: int, times: int) -> None:
        """What changed from month to month: only where a stretch begins or has ended can anything."""
        for month in {one.first for one in found} | {one.last + 1 for one in found}:
            if self._first < month <= self._last:
                before = [one for one in found if one.first < month <= one.last + 1]
                after = [one for one in found if one.first <= month <= one.last]
                self._change(month, explain(before, after, returned=seen_in < month), times)

    def _change(self, month: int, found: Iterable[Difference], times: int) -> None:
        for currency, part, amount in found:
            self._single.add(month, BRIDGE, currency, part, Sum(times, 0, amount))

    def into(self, figures: Figures) -> None:
        """Add everything counted to figures."""
        for (by, currency, value), steps in self._steps.items():
            running = Sum()
            for month in range(self._first, self._last + 1):
                if (step := steps.get(month)) is not None:
                    running = running + step
                if running:
                    figures.add(month, by, currency, value, running)
        figures.take(self._single)


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
    """How much of the money rests on what: `96% stated by Infobip`, `4% inferred`. A trace is never 0%.

    What is taken off rests on something as well, so its size counts.
    """
    total = sum(map(abs, amounts.values()), ZERO)
    parts: dict[str, Decimal] = {}
    for basis in Basis:
        if amounts.get(basis):
            parts[BASIS_WORDS[basis]] = parts.get(BASIS_WORDS[basis], ZERO) + abs(amounts[basis])
    if not total or not parts:
        return []
    exact = [part * 100 / total for part in parts.values()]
    whole = rounded_lines(exact, "JPY")
    return [f"{_percent(*shares)} {words}" for words, *shares in zip(parts, exact, whole, strict=True)]


def _percent(exact: Decimal, whole: Decimal) -> str:
    if exact < 1:
        return "under 1%"
    return "over 99%" if 99 < exact < 100 else f"{whole}%"
