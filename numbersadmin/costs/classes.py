"""Possessions alike, counted by the database: what is charged for them is computed once, for all of them together.

The rules stay in charges.py alone. A class holds possessions whose charges differ in nothing but amounts, and those
amounts are the prices themselves: so a possession with the sums of the prices has the sums of the charges.
Whatever is not that simple, such as a price that changed in these months, is left to be computed one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Sum, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Sign

from numbersadmin.costs.charges import Stretch
from numbersadmin.costs.ledger import Records
from numbersadmin.costs.models import LedgerLine
from numbersadmin.costs.months import Month
from numbersadmin.costs.pairs import Posted
from numbersadmin.costs.possessions import Held, held_row, price_of
from numbersadmin.numbers.models import AcquiredBasis, NumberVersion, OwnedNumber, Status

DIMENSIONS = [
    f"owned_number__{name}" for name in "country type capabilities labels cost_centre owner__username".split()
]
PRICES = ("price_per_month", "setup_price", "initial_month_price")
_THERE = Q(owned_number__acquired_at=None, owned_number__acquired_from=None) & ~Q(
    owned_number__acquired_basis__in=[AcquiredBasis.PURCHASED_HERE, AcquiredBasis.STATED]
)
"""It was there when records began: neither set-up nor first month."""
_BOUGHT = Q(
    owned_number__acquired_at__isnull=False, initial_month_price__isnull=False, began=F("priced")
) & ~(Q(currency="") | Q(owned_number__acquired_basis=AcquiredBasis.STATED))
"""When it was bought is known, and in that very month what the first month costs was told."""


@dataclass(frozen=True, slots=True)
class Alike:
    """So many possessions as one, with what the ledger has for them in the month before."""

    held: Held
    times: int
    posted: list[Stretch]


class Classes:
    """The possessions that may be charged for from one month to another, and those charged for in `posted`."""

    def __init__(self, known: Records, first: Month, last: Month, posted: Month | None) -> None:
        self._known = known
        months = [Month(index) for index in range(first.index, last.index + 2)]
        self._starts = [known.calendar.start(month) for month in months]
        self._posted = Posted(posted, "posted", "owned_number__") if posted else None
        self._charged = LedgerLine.objects.filter(month=str(posted)) if posted else None

    @property
    def all(self) -> QuerySet[OwnedNumber]:
        """Every one of them."""
        start, end = self._starts[0], self._starts[-1]
        begun = Q(acquired_to__lt=end) | Q(acquired_from__lt=end) | Q(acquired_at__lt=end)
        held = begun & (~Q(status=Status.ENDED) | Q(ended_to__gte=start))
        if self._charged is None:
            return OwnedNumber.objects.filter(held)
        return OwnedNumber.objects.filter(held | Q(Exists(self._charged.filter(owned_number=OuterRef("pk")))))

    @property
    def others(self) -> QuerySet[OwnedNumber]:
        """Those that are in no class."""
        return self.all.filter(~Exists(self._simple.filter(owned_number=OuterRef("pk"))))

    def __iter__(self) -> Iterator[Alike]:
        """Those alike as one."""
        posted, keys = self._posted, self._keys
        sums = {f"sum_{name}": Sum(name) for name in PRICES}
        versions = self._simple.alias(ending=Coalesce("owned_number__ended_from", "owned_number__ended_to"))
        if posted:
            moved = Sign(F("price_per_month") - F("posted_rent__per_month"))
            versions = versions.alias(**posted.joins)
            keys, sums = keys | posted.keys | {"moved": moved}, sums | posted.sums
        rows = versions.annotate(**keys).order_by().values("currency", *DIMENSIONS, *keys)
        for row in rows.annotate(alike=Count("id"), **sums).iterator():
            yield Alike(self._held(row), row["alike"], posted.lines(row) if posted else [])

    def _held(self, row: dict[str, Any]) -> Held:
        """The possession that stands for all of a row: with the sums of their prices, in their months."""
        seen, since, left = (self._moment(row[name]) for name in ("seen_in", "since", "left_in"))
        amounts = [row[f"sum_{name}"] for name in PRICES]
        price = (self._moment(row["price_since"] or 0), None, None, *amounts, row["currency"], row["told_by"])
        status = Status.OWNED if left is None else Status.ENDED
        dates = (since, None, seen, row["how"], left, left)
        country, kind, capabilities, *whose = (row[name] for name in DIMENSIONS)
        facts = (0, "", "", country, kind, capabilities, False, *whose, status, None, *dates, False)
        return held_row(facts, (price_of((0, *price)),), self._known.listed)

    @cached_property
    def _simple(self) -> QuerySet[NumberVersion]:
        """The newest version of each possession whose charges follow from that version alone."""
        versions = NumberVersion.objects.alias(
            began=self._month("owned_number__acquired_at"), priced=self._month("valid_from")
        )
        return versions.filter(self._newest, self._began_before | (self._only & (_THERE | _BOUGHT)))

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

    @property
    def _began_before(self) -> Q:
        """Was it ours, at this price, before these months?"""
        start = self._starts[0]
        return Q(owned_number__acquired_to__lt=start, valid_from__lt=start)

    @property
    def _only(self) -> Q:
        """Did it become ours in these months, and has it had no other version?"""
        since = F("owned_number__acquired_to")
        return Q(
            owned_number__acquired_to__gte=self._starts[0],
            owned_number__acquired_to__lt=self._starts[-1],
            valid_from__lte=since,
        )

    @property
    def _keys(self) -> dict[str, Any]:
        """Everything besides amounts that charges depend on.

        The signs keep those apart for which an amount is nothing: nothing is no difference (bridge.explain).
        """
        price, initial = F("price_per_month"), F("initial_month_price")
        of_new = {
            "how": F("owned_number__acquired_basis"),
            "told_by": F("source"),
            "since": self._month("owned_number__acquired_at"),
            "price_since": self._month("valid_from"),
            "setup_sign": Sign("setup_price"),
            "first_sign": Sign(initial),
            "first_share": Sign(initial - price),
        }
        before = When(self._began_before, then=Value(None))
        return {name: Case(before, default=key) for name, key in of_new.items()} | {
            "seen_in": self._month("owned_number__acquired_to"),
            "left_in": self._month("ending"),
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

    def _moment(self, begun: int | None) -> datetime | None:
        """A moment at which so many of these months have begun."""
        if begun is None:
            return None
        return self._starts[begun - 1] if begun else self._starts[0] - timedelta(microseconds=1)
