"""A month as corrected, beside a month as it stands: corrections as part of the month that they are about."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import F, Q, Sum

from numbersadmin.costs.models import LedgerLine
from numbersadmin.costs.months import Month
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
    later: list[Moved]
    earlier: list[Moved]

    @property
    def amounts(self) -> list[tuple[str, Decimal, Decimal]]:
        """Currency, the month as it stands and as corrected, where the two differ."""
        later, earlier = (
            Totals.of((one.currency, one.amount) for one in of) for of in (self.later, self.earlier)
        )
        corrected = self.carried + later - earlier
        pairs = [(code, self.carried.get(code, ZERO), amount) for code, amount in corrected.items()]
        return [one for one in pairs if one[1] != one[2]]


def corrected(carried: Totals, month: Month) -> Corrected | None:
    """What other months carry about this one, and this one about others; None where there is no such thing."""
    rows = LedgerLine.objects.exclude(corrects="").exclude(corrects=F("month"))
    sums = (
        rows.filter(Q(month=str(month)) | Q(corrects=str(month)))
        .values_list("month", "corrects", "currency")
        .annotate(sum=Sum("amount"))
    )
    moved = [
        Moved(Month.parse(row[0]), Month.parse(row[1]), *row[2:])
        for row in sums.order_by("month", "corrects", "currency")
    ]
    later, earlier = ([one for one in moved if (one.about == month) is wanted] for wanted in (True, False))
    return Corrected(carried, later, earlier) if moved else None
