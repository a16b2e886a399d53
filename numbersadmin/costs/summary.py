"""What the lines of a month add up to, in one pass: totals, groups of several kinds, how we know, corrections."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from numbersadmin.costs.charges import Basis, Kind
from numbersadmin.costs.ledger import Entry
from numbersadmin.costs.report import GROUPINGS, Sum
from numbersadmin.money import ZERO, Totals

CORRECTIONS_KEPT = 500


@dataclass(slots=True)
class Summary:
    """A month in figures. `groups` is grouping -> (currency, value) -> Sum; a currency may be "", not known.

    `corrections` are the first CORRECTIONS_KEPT of `corrected`.
    """

    groups: dict[str, dict[tuple[str, str], Sum]]
    bases: dict[str, dict[Basis, Decimal]] = field(default_factory=dict)
    corrections: list[Entry] = field(default_factory=list)
    lines: int = 0
    corrected: int = 0
    unpriced: int = 0

    @property
    def parts(self) -> dict[str, Sum]:
        """Currency -> everything in it together; the currencies in order, the unknown one first."""
        found: dict[str, Sum] = {}
        for (currency, _), part in next(iter(self.groups.values())).items():
            found[currency] = found.get(currency, Sum()) + part
        return dict(sorted(found.items()))

    @property
    def totals(self) -> Totals:
        """Currency -> the exact sum of its charges; without those of which nothing is known."""
        return Totals.of((currency, part.known) for currency, part in self.parts.items() if currency)

    def of(self, by: str, currency: str) -> list[tuple[str, Sum]]:
        """The groups of one currency, the dearest first."""
        found = [(value, part) for (code, value), part in self.groups[by].items() if code == currency]
        return sorted(found, key=lambda one: (-one[1].amount, one[0]))


def summarise(entries: Iterable[Entry], by: Sequence[str] = ("country",)) -> Summary:
    """Add the lines of one month up, split by each of these groupings (keys of GROUPINGS, at least one)."""
    found = Summary({name: {} for name in by})
    for entry in entries:
        charge = entry.charge
        found.lines += 1
        found.unpriced += charge.amount is None
        part = Sum(
            int(charge.kind in (Kind.INITIAL, Kind.RECURRING)),
            int(charge.amount is None),
            ZERO if charge.amount is None else charge.amount,
        )
        for name, groups in found.groups.items():
            key = charge.currency, GROUPINGS[name](entry.subject)
            groups[key] = groups[key] + part if key in groups else part
        if charge.amount is not None:
            bases = found.bases.setdefault(charge.currency, {})
            bases[charge.basis] = bases.get(charge.basis, ZERO) + charge.amount
        if charge.kind is Kind.ADJUSTMENT:
            found.corrected += 1
            if found.corrected <= CORRECTIONS_KEPT:
                found.corrections.append(entry)
    return found
