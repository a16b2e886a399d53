"""Possessions alike, counted by the database: what is charged for them is computed once, for all of them together.

The rules stay in charges.py alone. A class holds possessions whose charges differ in nothing but amounts, and those
amounts are prices as they stand: so the sums of the prices are the sums of the charges. What is charged is computed
for a stand-in, with other numbers for prices, that show which price each amount is.
Whatever is not that simple, such as a price that changed twice in these months, is left to be computed one by one.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.models import Case, Exists, F, FilteredRelation, OuterRef, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Greatest, Sign

from numbersadmin.costs.charges import Stretch, stretches
from numbersadmin.costs.ledger import Records
from numbersadmin.costs.models import LedgerLine
from numbersadmin.costs.months import Month
from numbersadmin.costs.pairs import Posted
from numbersadmin.costs.possessions import Held, charged_between, held_row, price_of
from numbersadmin.money import ZERO, from_micro
from numbersadmin.numbers.models import AcquiredBasis, NumberVersion, OwnedNumber, Status

DIMENSIONS = {
    name: F(f"owned_number__{name}") for name in ("country", "type", "capabilities", "labels", "cost_centre")
} | {"owner": Coalesce("owned_number__owner__username", Value(""))}
PRICES = ("price_per_month", "setup_price", "initial_month_price")
AMOUNTS = [*PRICES, *(f"old__{name}" for name in PRICES)]  # of the newest version, and of the one before


@dataclass(frozen=True, slots=True)
class Alike:
    """So many possessions, all of them that have `value` where `by` names a grouping: what is charged for them.

    Without a grouping `posted` is what the ledger has for them in the month before.
    """

    by: str
    value: str
    times: int
    seen_in: int
    found: list[Stretch]
    posted: list[Stretch]


class Classes:
    """The possessions that may be charged for from one month to another, and those charged for in `posted`."""

    def __init__(self, known: Records, first: Month, last: Month, posted: Month | None) -> None:
        self._known, self._first, self._last = known, first, last
        months = [Month(index) for index in range(first.index, last.index + 2)]
        self._starts = [known.calendar.start(month) for month in months]
        self._posted = Posted(posted, "posted", "owned_number__") if posted else None
        self._charged = LedgerLine.objects.filter(month=str(posted)) if posted else None
        self._stand_ins: dict[tuple[Any, ...], list[Stretch]] = {}

    @property
    def all(self) -> QuerySet[OwnedNumber]:
        """Every one of them."""
        held = charged_between(self._first, self._last, self._known.calendar)
        if self._charged is None:
            return OwnedNumber.objects.filter(held)
        charged = Q(Exists(self._charged.filter(owned_number=OuterRef("pk"))))
        return OwnedNumber.objects.filter(held | charged)

    @property
    def others(self) -> QuerySet[OwnedNumber]:
        """Those that are in no class."""
        return self.all.filter(~Exists(self._simple.filter(owned_number=OuterRef("pk"))))

    # Which are simple ---------------------------------------------------------------------------------------------

    @cached_property
    def _simple(self) -> QuerySet[NumberVersion]:
        """The newest version of each possession whose charges follow from that version, or from it and the last."""
        versions = NumberVersion.objects.alias(
            old=FilteredRelation(
                "owned_number__versions", condition=Q(owned_number__versions__valid_to=F("valid_from"))
            )
        ).alias(
            began=self._month("owned_number__acquired_at"),
            priced=self._month("valid_from"),
            old_priced=self._month("old__valid_from"),
            old_from=F("old__valid_from"),
            old_told=F("old__initial_month_price"),
            old_in=F("old__currency"),
        )
        since = F("owned_number__acquired_to")
        first = self._opening("initial_month_price", "currency", "priced")
        earlier = self._opening("old_told", "old_in", "old_priced")
        start = self._starts[0]
        ours_before = Q(owned_number__acquired_to__lt=start)
        one = (ours_before & Q(valid_from__lt=start)) | (first & Q(valid_from__lte=since))
        two = Q(valid_from__gte=start, valid_from__gt=since, old_from__isnull=False) & Q(currency__gt="")
        two &= (ours_before & Q(old_from__lt=start)) | (earlier & Q(old_from__lte=since))
        return versions.filter(self._newest, one | (two & Q(old_in__gt="")))

    @property
    def _newest(self) -> Q:
        """Is it the version in force now, or when the number ended?"""
        later = NumberVersion.objects.filter(
            owned_number=OuterRef("owned_number"), valid_from__gte=OuterRef("owned_number__ended_to")
        )
        return Q(valid_to=None, owned_number__status=Status.OWNED) | Q(
            ~Exists(later),
            valid_to=F("owned_number__ended_to"),
            owned_number__status=Status.ENDED,
            owned_number__ended_to__gte=self._starts[0],
        )

    def _opening(self, told: str, currency: str, priced: str) -> Q:
        """Did it become ours in these months, charged as the first version told? Names of its columns."""
        here = Q(
            owned_number__acquired_to__gte=self._starts[0], owned_number__acquired_to__lt=self._starts[-1]
        )
        basis = "owned_number__acquired_basis"
        there = Q(owned_number__acquired_at=None, owned_number__acquired_from=None) & ~Q(
            **{f"{basis}__in": [AcquiredBasis.PURCHASED_HERE, AcquiredBasis.STATED]}
        )
        known = {f"{told}__isnull": False, f"{currency}__gt": "", "owned_number__acquired_at__isnull": False}
        bought = Q(**known, began=F(priced)) & ~Q(**{basis: AcquiredBasis.STATED})
        return here & (there | bought)

    # Counting them ------------------------------------------------------------------------------------------------

    def alike(self, groupings: Collection[str]) -> Iterator[Alike]:
        """All of them as one, class by class, and again for each value of each of these groupings."""
        posted, keys = self._posted, self._keys
        amounts = {f"sum_{name}": F(name) for name in AMOUNTS}
        versions = self._simple.alias(
            ending=Coalesce("owned_number__ended_from", "owned_number__ended_to"),
            until=Greatest(Coalesce("not_before", "old__valid_from"), "old__valid_from"),
        )
        if posted:
            moved = Sign(F("price_per_month") - F("posted_rent__per_month"))
            versions = versions.alias(**posted.joins)
            keys, amounts = keys | posted.keys | {"moved": moved}, amounts | posted.amounts
        grouped = {f"by_{name}": DIMENSIONS[name] for name in groupings}
        columns = {**keys, **grouped, **amounts}
        rows = versions.annotate(**columns).order_by().values(*columns)
        for row in _each_grouping(rows, groupings, list(keys), list(amounts)):
            sums = [row[f"sum_{name}"] for name in AMOUNTS]
            yield Alike(
                row["by"],
                row["value"],
                row["alike"],
                self._known.calendar.index(self._moment(row["seen_in"])),
                [_filled(stretch, sums) for stretch in self._stand_in(row)],
                posted.lines(row) if posted and not row["by"] else [],
            )

    def _stand_in(self, row: dict[str, Any]) -> list[Stretch]:
        """What a class is charged, with the places of `AMOUNTS` for amounts."""
        shape = tuple(row[name] for name in self._keys)
        if shape not in self._stand_ins:
            held = self._held(row)
            self._stand_ins[shape] = stretches(held.possession, self._first, self._last, self._known.calendar)
        return self._stand_ins[shape]

    def _held(self, row: dict[str, Any]) -> Held:
        """The possession that stands for a class: in the same months, and with places for prices."""
        since, left = (
            None if row[name] is None else self._moment(row[name]) for name in ("since", "left_in")
        )
        two = row["old_since"] is not None
        places = [
            _place(row[sign], at) for at, sign in enumerate(("price_sign", "setup_sign", "first_sign"), 1)
        ]
        price_since, currency = self._moment(row["price_since"]), row["currency_now"]
        told = (*places, currency, row["told_by"])
        prices = [(0, price_since, None, None, *told)]
        if two:
            places[0] = _place(row["old_sign"], 4)
            now = places[0] if row["change"] == 0 else _place(row["price_sign"], 1)
            places = [place and place + 3 * (at > 0) for at, place in enumerate(places)]
            old = (
                self._moment(row["old_since"]),
                price_since,
                None,
                *places,
                row["old_currency"],
                row["told_by"],
            )
            prices = [
                (0, *old),
                (0, price_since, None, self._moment(row["old_until"]), now, None, None, currency, ""),
            ]
        status = Status.OWNED if left is None else Status.ENDED
        dates = (since, None, self._moment(row["seen_in"]), row["how"], left, left)
        facts: tuple[Any, ...] = (0, "", "", "", "", "", False, [], "", "", status, None, *dates, False)
        return held_row(facts, tuple(map(price_of, prices)), self._known.listed)

    @cached_property
    def _keys(self) -> dict[str, Any]:
        """Everything besides amounts that charges depend on.

        The signs keep those apart for which an amount is nothing: nothing is no difference (bridge.explain).
        """
        price, old, initial = F("price_per_month"), F("old__price_per_month"), F("initial_month_price")
        of_old, told = F("old__initial_month_price"), F("old__source")
        two = Q(valid_from__gte=self._starts[0], valid_from__gt=F("owned_number__acquired_to"))
        of_new = {
            "how": F("owned_number__acquired_basis"),
            "since": self._month("owned_number__acquired_at"),
            "told_by": Case(When(two, then=told), default=F("source")),
            "setup_sign": Case(When(two, then=Sign("old__setup_price")), default=Sign("setup_price")),
            "first_sign": Case(When(two, then=Sign(of_old)), default=Sign(initial)),
            "first_share": Case(When(two, then=Sign(of_old - old)), default=Sign(initial - price)),
        }
        of_two = {
            "old_since": self._month("old__valid_from"),
            "old_currency": F("old__currency"),
            "old_sign": Sign(old),
            "old_until": self._month("until"),
            "change": Sign(price - old),
        }
        ours_before = When(owned_number__acquired_to__lt=self._starts[0], then=Value(None))
        keys = {name: Case(ours_before, default=key) for name, key in of_new.items()}
        keys |= {name: Case(When(two, then=key), default=Value(None)) for name, key in of_two.items()}
        return keys | {
            "price_since": self._month("valid_from"),
            "seen_in": self._month("owned_number__acquired_to"),
            "left_in": self._month("ending"),
            "currency_now": F("currency"),
            "price_sign": Sign(price),
        }

    def _month(self, moment: str) -> Case:
        """How many of these months have begun at a moment; NULL without one."""
        return Case(When(**{f"{moment}__isnull": True}, then=Value(None)), default=self._among(moment))

    def _among(self, moment: str, low: int = 0, high: int | None = None) -> Combinable:
        """The same by halves: between `low` and `high` of them have begun."""
        high = len(self._starts) if high is None else high
        if low == high:
            return Value(low)
        middle = (low + high) // 2
        earlier = When(**{f"{moment}__lt": self._starts[middle]}, then=self._among(moment, low, middle))
        return Case(earlier, default=self._among(moment, middle + 1, high))

    def _moment(self, begun: int) -> datetime:
        """A moment at which so many of these months have begun."""
        return self._starts[begun - 1] if begun else self._starts[0] - timedelta(microseconds=1)


def _each_grouping(
    rows: QuerySet[Any, dict[str, Any]], groupings: Collection[str], keys: list[str], sums: list[str]
) -> Iterator[dict[str, Any]]:
    """Rows put together once as they are and once for each grouping, which are read only once from the tables."""
    sql, params = rows.query.get_compiler(connection=connection).as_sql()
    columns = ", ".join(f'"{key}"' for key in keys)
    counted = ", ".join(["COUNT(*)", *(f'SUM("{name}")' for name in sums)])
    parts = [f"SELECT '', '', {columns}, {counted} FROM alike GROUP BY {columns}"]  # noqa: S608 - names of ours
    for by in groupings:
        value = f'CAST("by_{by}" AS text)'
        grouped = f"FROM alike GROUP BY {value}, {columns}"
        parts.append(f"SELECT '{by}', {value}, {columns}, {counted} {grouped}")
    names = ["by", "value", *keys, "alike", *sums]
    with connection.cursor() as cursor:
        cursor.execute(f"WITH alike AS MATERIALIZED ({sql}) {' UNION ALL '.join(parts)}", params)
        while many := cursor.fetchmany(2000):
            for values in many:
                row = dict(zip(names, values, strict=True))
                row |= {name: None if row[name] is None else from_micro(row[name]) for name in sums}
                if row["by"] == "labels":
                    row["value"] = ", ".join(sorted(json.loads(row["value"])))
                yield row | {"alike": int(row["alike"])}


def _place(sign: int | None, place: int) -> Decimal | None:
    """The place of an amount in `AMOUNTS`, counted from 1; nothing and what is not known stay what they are."""
    return None if sign is None else Decimal(place) if sign else ZERO


def _filled(stretch: Stretch, amounts: list[Decimal | None]) -> Stretch:
    """A stretch with the amounts for their places."""
    amount, full = (one and amounts[int(one) - 1] for one in (stretch.amount, stretch.per_month))
    kind, first, last, currency, basis = (
        stretch.kind,
        stretch.first,
        stretch.last,
        stretch.currency,
        stretch.basis,
    )
    return Stretch(kind, first, last, amount, currency, basis, full)
