"""What a month's lines add up to, and the digest by which anybody can tell that they are still the same."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from numbersadmin.costs.charges import Basis, Charge, Stretch
from numbersadmin.costs.ledger import Entry
from numbersadmin.money import ZERO, Totals, from_micro, to_micro

_written = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False).encode


class LineSums:
    """What lines add up to, counted one by one.

    `open_prices` are lines without an amount whose number is not in `waived`; `inferred` is how many lines are.
    """

    def __init__(self, waived: frozenset[int] = frozenset()) -> None:
        self.waived = waived
        self.lines = self.unpriced = self.open_prices = self.corrections = self.inferred = 0
        self._totals: dict[str, Decimal] = {}
        self._inferred: dict[str, Decimal] = {}

    def add(self, entry: Entry) -> None:
        """Count one line."""
        charge = entry.charge
        self.corrections += entry.corrects is not None or charge.basis in (Basis.MANUAL, Basis.INVOICE)
        self.count(charge, 1)
        if charge.amount is None and charge.number_id in self.waived:
            self.open_prices -= 1

    def count(self, line: Charge | Stretch, times: int) -> None:
        """Count the charges of so many numbers alike, none of them waived; the amount is that of all together."""
        self.lines += times
        if line.amount is None:
            self.unpriced += times
            self.open_prices += times
            return
        self._totals[line.currency] = self._totals.get(line.currency, ZERO) + line.amount
        if line.basis is Basis.INFERRED:
            self.inferred += times
            self._inferred[line.currency] = self._inferred.get(line.currency, ZERO) + line.amount

    @property
    def totals(self) -> Totals:
        """Currency -> exact sum of the lines with an amount."""
        return Totals(self._totals)

    @property
    def inferred_totals(self) -> Totals:
        """How much of it is inferred."""
        return Totals(self._inferred)

    @property
    def facts(self) -> dict[str, Any]:
        """As a close keeps them, and as the page on which it is confirmed carries them."""
        return {"totals": plain(self.totals), "lines": self.lines, "unpriced": self.unpriced}


def plain(totals: Totals) -> dict[str, str]:
    """Totals as JSON has them: currency -> amount with 6 decimals."""
    return {currency: f"{from_micro(to_micro(amount)):f}" for currency, amount in totals.items()}


def totals_in(written: Mapping[str, str]) -> Totals:
    """The totals that `plain` has written; ArithmeticError, TypeError or ValueError for anything else."""
    return Totals({currency: Decimal(amount) for currency, amount in written.items()})


class Digest:
    """SHA-256 over lines in the order of `ledger.statement`, each as one row of JSON; amounts in micro-units."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def add(self, entries: Iterable[Entry]) -> None:
        """Take in lines: all that they say, but not where they are stored."""
        self._sha.update("".join(_written(_canonical(entry)) + "\n" for entry in entries).encode())

    @property
    def text(self) -> str:
        """64 hexadecimal digits."""
        return self._sha.hexdigest()


def _canonical(entry: Entry) -> tuple[Any, ...]:
    charge, subject = entry.charge, entry.subject
    return (
        str(charge.month),
        charge.kind,
        subject.id,
        subject.number_key,
        subject.number,
        subject.country,
        subject.type,
        subject.capabilities,
        subject.shared,
        subject.labels,
        subject.owner,
        subject.cost_centre,
        None if charge.amount is None else to_micro(charge.amount),
        charge.currency,
        charge.basis,
        charge.period_start.isoformat(),
        charge.period_end.isoformat(),
        None if charge.per_month is None else to_micro(charge.per_month),
        charge.note,
        str(entry.corrects) if entry.corrects else "",
    )
