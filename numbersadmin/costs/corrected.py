"""A month as corrected, beside a month as it stands: corrections as part of the month that they are about."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Sum

from numbersadmin.costs.figures import figures
from numbersadmin.costs.ledger import Records
from numbersadmin.costs.models import LedgerLine
from numbersadmin.costs.months import Month
from numbersadmin.costs.report import ABOUT, Figures
from numbersadmin.formats import NBSP, figure_text
from numbersadmin.money import ZERO, Totals


@dataclass(frozen=True, slots=True)
class Moved:
    """What corrections that `month` carries about `about` come to in one currency."""

    month: Month
    about: Month
    currency: str
    amount: Decimal

    @property
    def text(self) -> str:
        """The amount with its sign, for a sentence."""
        return f"{figure_text(self.amount, self.currency, signed=True)}{NBSP}{self.currency}"


@dataclass(frozen=True, slots=True)
class Corrected:
    """A month as it would be had each correction been part of the month that it is about.

    `later` are those about it that other months carry, `earlier` those about others that it carries.
    """

    carried: Totals
    unknown: frozenset[str]  # currencies in which nothing is known of what the month carries
    later: list[Moved]
    earlier: list[Moved]

    def __bool__(self) -> bool:
        return bool(self.later or self.earlier)

    @property
    def totals(self) -> Totals:
        """Currency -> the month as corrected."""
        return self.carried + _sum(self.later) - _sum(self.earlier)

    @property
    def amounts(self) -> list[tuple[str, Decimal | None, Decimal]]:
        """Currency, the month as it stands (None: unknown) and as corrected, where the two differ."""
        pairs = [
            (code, self.carried.get(code, None if code in self.unknown else ZERO), amount)
            for code, amount in self.totals.items()
        ]
        return [one for one in pairs if one[1] != one[2]]


def _sum(moved: Iterable[Moved]) -> Totals:
    return Totals.of((one.currency, one.amount) for one in moved)


def corrected(found: Figures, month: Month) -> Corrected:
    """What other months carry about this one, and this one about others.

    What the month itself carries is of the moment it was counted, so that nothing is taken off that is not in it.
    """
    rows = LedgerLine.objects.filter(corrects=str(month)).exclude(month=str(month))
    sums = rows.values_list("month", "currency").annotate(sum=Sum("amount")).order_by("month", "currency")
    return Corrected(
        found.amounts(month),
        found.unknown(month),
        [Moved(Month.parse(carrier), month, code, amount) for carrier, code, amount in sums],
        [
            Moved(month, Month.parse(about), code, one.amount)
            for (code, about), one in sorted(found.of(month, ABOUT).items(), key=lambda of: of[0][::-1])
        ],
    )


def as_corrected(known: Records, month: Month) -> Totals:
    """What a month on record comes to when each correction counts in the month that it is about."""
    no_bridge = month.next  # it is asked for that of another month
    return corrected(figures(known, month, month, (), shown=no_bridge, alike=False), month).totals
