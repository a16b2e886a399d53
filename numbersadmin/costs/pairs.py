"""What closed months charged number by number, as sums of numbers alike: so that bridges need no list of them all."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Case, Count, F, FilteredRelation, Q, Sum, Value, When
from django.db.models.functions import Sign

from numbersadmin.costs.bridge import RENTS, Difference, explain
from numbersadmin.costs.charges import Basis, Kind, Stretch
from numbersadmin.costs.ledger import Records
from numbersadmin.costs.models import LedgerLine
from numbersadmin.costs.months import Month
from numbersadmin.numbers.models import OwnedNumber

WHAT = {"rent": tuple(RENTS), "setup": (Kind.SETUP,)}


class Posted:
    """The rent and the set-up that the ledger has for numbers in one month, as joins and columns of a query.

    Everything that a reason depends on is a key, the amounts are summed: reasons are linear in them.
    """

    def __init__(self, month: Month, name: str, path: str = "") -> None:
        """`name` tells the joins of several months apart; `path` leads from the query's rows to the number."""
        line = f"{path}ledger_lines"
        self._names = {f"{name}_{what}": kinds for what, kinds in WHAT.items()}
        self.joins = {
            at: FilteredRelation(
                line, condition=Q(**{f"{line}__month": str(month), f"{line}__kind__in": kinds})
            )
            for at, kinds in self._names.items()
        }

    @property
    def any(self) -> Q:
        """Is there a line at all?"""
        return Q(*((f"{at}__isnull", False) for at in self._names), _connector=Q.OR)

    @property
    def keys(self) -> dict[str, Any]:
        """What numbers alike have in common."""
        found: dict[str, Any] = {}
        for at in self._names:
            found |= {f"{at}_of_kind": F(f"{at}__kind"), f"{at}_in": F(f"{at}__currency")}
            found |= {f"{at}_sign": Sign(f"{at}__amount")}
            found |= {f"{at}_share": Sign(F(f"{at}__amount") - F(f"{at}__per_month"))}
        return found

    @property
    def amounts(self) -> dict[str, Any]:
        """What is added up over them."""
        fields = ("amount", "per_month")
        return {f"{at}_{name}": F(f"{at}__{name}") for at in self._names for name in fields}

    def lines(self, row: dict[str, Any]) -> list[Stretch]:
        """The lines of all numbers of a row together."""
        return [
            Stretch(
                Kind(row[f"{at}_of_kind"]),
                0,
                0,
                row[f"{at}_amount"],
                row[f"{at}_in"],
                Basis.LISTED,
                row[f"{at}_per_month"],
            )
            for at in self._names
            if row[f"{at}_of_kind"]
        ]


def frozen_differences(known: Records, month: Month) -> Iterator[tuple[Difference, int]]:
    """Why a month costs another amount than the one before, both frozen, with how many numbers; no corrections."""
    before, after = Posted(month.previous, "before"), Posted(month, "after")
    seen = When(acquired_to__lt=known.calendar.start(month), then=Value(1))
    price = Sign(F("after_rent__per_month") - F("before_rent__per_month"))
    lines = LedgerLine.objects.filter(month__in=[str(month.previous), str(month)]).order_by()
    numbers = OwnedNumber.objects.filter(id__in=lines.values("owned_number")).order_by()
    keyed = numbers.annotate(**before.joins, **after.joins).annotate(
        **before.keys, **after.keys, seen=Case(seen, default=Value(0)), moved=price
    )
    rows = keyed.values("seen", "moved", *before.keys, *after.keys)
    sums = {name: Sum(amount) for name, amount in (before.amounts | after.amounts).items()}
    for row in rows.annotate(alike=Count("id"), **sums):
        for one in explain(before.lines(row), after.lines(row), returned=bool(row["seen"])):
            yield one, row["alike"]
