"""How many numbers fit a filter and what they cost, from counts that the database keeps (numbers/triggers.py).

`kept` is read once per state of the table and process: a page costs one small query, whatever is owned.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Case, Count, Max, Sum, Value, When
from django.db.models.functions import Coalesce

from numbersadmin.accounts.models import User
from numbersadmin.money import ZERO, Totals, from_micro, to_micro
from numbersadmin.numbers import triggers
from numbersadmin.numbers.models import NumberTally, OwnedNumber, OwnedNumberQuerySet, Status
from numbersadmin.numbers.selectors import ACTIVE, EVERY, NOBODY, NumberFilter

REMEMBERED = 500  # answers per state of the tally
LOOSE = 500  # rows that may wait to be put together


class Group(NamedTuple):
    """Numbers that share these values: how many, their price in micro-units, how many without a known price."""

    status: str
    country: str
    currency: str
    capabilities: str
    owner_id: int | None
    cost_centre: str
    numbers: int
    micro: int
    unpriced: int


@dataclass(frozen=True, slots=True)
class Facets:
    """What fits a filter: its count and totals, and for each filter what each value would find with the others."""

    count: int
    totals: Totals
    unknown_prices: int
    statuses: Mapping[str, int]
    countries: Mapping[str, int]
    capabilities: Mapping[str, int]  # by the joined words that numbers have
    owners: Mapping[int | None, int]
    cost_centres: Mapping[str, int]
    currencies: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Tally:
    """Groups of numbers and what was worked out from them before."""

    groups: tuple[Group, ...]
    owners: Mapping[str, int]  # user name -> id
    _answers: dict[NumberFilter, Facets] = field(default_factory=dict)

    def facets(self, wanted: NumberFilter) -> Facets:
        """What fits the filter; text and order are not looked at."""
        key = NumberFilter(
            country=wanted.country,
            capabilities=wanted.capabilities,
            owner=wanted.owner,
            cost_centre=wanted.cost_centre,
            state=wanted.state,
        )
        if (known := self._answers.get(key)) is None:
            if len(self._answers) >= REMEMBERED:
                self._answers.clear()
            known = self._answers[key] = _facets(self.groups, key, self.owners)
        return known


@dataclass(frozen=True, slots=True)
class Choices:
    """What each filter offers: values in use and how many they would find, None where that is not counted."""

    countries: Mapping[str, int | None]
    capabilities: Mapping[str, int | None]  # words, alone or joined
    owners: Mapping[str, int | None]  # by user name or NOBODY
    cost_centres: Mapping[str, int | None]  # by name or NOBODY
    states: Mapping[str, int | None]
    names: list[tuple[str, str]]  # user name and what the person is called


def choices(facets: Facets | None, tally: Tally) -> Choices:
    """The values that find something with the other filters; all in use, uncounted, when `facets` is not known."""
    known = facets or tally.facets(NumberFilter(state=EVERY))

    def told(counts: Mapping[Any, int]) -> dict[Any, int | None]:
        return {value: count if facets else None for value, count in counts.items() if count > 0}

    ids = [one for one, count in known.owners.items() if one and count > 0]
    people = User.objects.filter(pk__in=ids).values_list("pk", "username", "full_name")
    called = {pk: (username, full_name or username) for pk, username, full_name in people}
    owners = {called[one][0] if one else NOBODY: count for one, count in told(known.owners).items()}
    centres = {one or NOBODY: count for one, count in told(known.cost_centres).items()}
    states = {
        state: sum(count for status, count in known.statuses.items() if in_state(status, state))
        for state in (ACTIVE, EVERY, *Status.values)
    }
    return Choices(
        countries=told({code: count for code, count in known.countries.items() if code}),
        capabilities=told(_by_words(known.capabilities)),
        owners={NOBODY: 0 if facets else None, **owners},
        cost_centres={NOBODY: 0 if facets else None, **centres},
        states=dict(states) if facets else {},
        names=sorted(called.values()),
    )


def _by_words(joined: Mapping[str, int]) -> dict[str, int]:
    """Numbers that can do these words at least: each alone, then what numbers have together (`SMS,VOICE`)."""
    able = {words: set(words.split(",")) for words, count in joined.items() if words and count > 0}
    alone = sorted({word for words in able.values() for word in words})
    asked = [*alone, *sorted(words for words in able if "," in words)]
    return {
        one: sum(joined[words] for words, has in able.items() if has.issuperset(one.split(",")))
        for one in asked
    }


_latest: tuple[tuple[int, int], Tally] | None = None


def kept() -> Tally:
    """The tally of all numbers.

    Rows only come until `settle` replaces them by younger ones, so the highest id and the count tell its state.
    """
    global _latest
    top, count = NumberTally.objects.aggregate(top=Coalesce(Max("id"), 0), count=Count("id")).values()
    known = _latest
    if known and known[0] == (top, count) and not connection.in_atomic_block:
        return known[1]
    sums = NumberTally.objects.order_by().values_list(*NumberTally.KEYS)
    sums = sums.annotate(*(Sum(figure) for figure in NumberTally.FIGURES))
    tally = _made(Group._make((*row[:6], *map(int, row[6:]))) for row in sums if row[6])
    if not connection.in_atomic_block:  # what a transaction sees may never come to be
        _latest = (top, count), tally
    return tally


def of(found: OwnedNumberQuerySet) -> Tally:
    """The tally of these numbers, counted now: for few."""
    unknown = Case(When(price_per_month=None, then=Value(1)), default=Value(0))
    sums = found.order_by().values_list(*NumberTally.KEYS)
    sums = sums.annotate(numbers=Count("id"), price=Sum("price_per_month"), unpriced=Sum(unknown))
    return _made(Group._make((*row[:7], to_micro(row[7] or ZERO), row[8])) for row in sums)


def _made(groups: Iterable[Group]) -> Tally:
    made = tuple(groups)
    ids = {group.owner_id for group in made} - {None}
    return Tally(made, dict(User.objects.filter(pk__in=ids).values_list("username", "pk")))


def _facets(groups: tuple[Group, ...], wanted: NumberFilter, owners: Mapping[str, int]) -> Facets:
    """A group that fits all filters counts everywhere; one that fits all but one, for that one alone."""
    words = set(wanted.capabilities)
    owner = None if wanted.owner == NOBODY else owners.get(wanted.owner, -1)
    centre = "" if wanted.cost_centre == NOBODY else wanted.cost_centre
    seen: list[dict[Any, int]] = [defaultdict(int) for _ in range(5)]
    currencies: dict[str, int] = defaultdict(int)
    micro: dict[str, int] = {}
    unpriced = 0
    for group in groups:
        values = (group.status, group.country, group.capabilities, group.owner_id, group.cost_centre)
        unfit = [
            at
            for at, fits in enumerate(
                (
                    in_state(group.status, wanted.state),
                    not wanted.country or group.country == wanted.country,
                    not words or words.issubset(group.capabilities.split(",")),
                    not wanted.owner or group.owner_id == owner,
                    not wanted.cost_centre or group.cost_centre == centre,
                )
            )
            if not fits
        ]
        if len(unfit) > 1:
            continue
        for at in unfit or range(5):
            seen[at][values[at]] += group.numbers
        if not unfit:
            currencies[group.currency] += group.numbers
            if group.status != Status.ENDED:
                unpriced += group.unpriced if group.currency else group.numbers
                if group.currency and group.numbers > group.unpriced:
                    micro[group.currency] = micro.get(group.currency, 0) + group.micro
    totals = Totals.of((currency, from_micro(micro[currency])) for currency in sorted(micro))
    statuses, countries, able, people, centres = seen
    count = sum(currencies.values())
    return Facets(count, totals, unpriced, statuses, countries, able, people, centres, currencies)


def in_state(status: str, state: str) -> bool:
    """Does a number of this status fit the filter's state?"""
    return state == EVERY or (status != Status.ENDED if state == ACTIVE else status == state)


def settle() -> int:
    """Put rows with the same values together when many wait for it; how many rows that saved.

    Two at once do no harm: each row is taken by one of them.
    """
    groups = NumberTally.objects.order_by().values(*NumberTally.KEYS).distinct().count()
    before = NumberTally.objects.count()
    if before - groups <= LOOSE:
        return 0
    with transaction.atomic():
        taken = _taken()
        NumberTally.objects.bulk_create(taken, batch_size=500)
    return before - len(taken)


def _taken() -> list[NumberTally]:
    """Delete all rows and give their sums; only what this transaction deleted itself is in them."""
    columns = ", ".join((*NumberTally.KEYS, *NumberTally.FIGURES))
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM numbers_numbertally RETURNING {columns}")  # noqa: S608 - our own names
        for row in cursor.fetchall():
            total = sums[row[:6]]
            for at in range(3):
                total[at] += row[6 + at]
    names = (*NumberTally.KEYS, *NumberTally.FIGURES)
    return [
        NumberTally(**dict(zip(names, (*key, *figures), strict=True)))
        for key, figures in sums.items()
        if any(figures)
    ]


def wrong() -> int:
    """How many groups of the tally differ from what the numbers themselves say."""
    counted = {group[:6]: group[6:] for group in of(OwnedNumber.objects.all()).groups}
    sums = NumberTally.objects.order_by().values_list(*NumberTally.KEYS)
    tallied = {row[:6]: row[6:] for row in sums.annotate(*(Sum(figure) for figure in NumberTally.FIGURES))}
    nothing = (0, 0, 0)
    return sum(
        counted.get(key, nothing) != tallied.get(key, nothing) for key in counted.keys() | tallied.keys()
    )


def rebuild() -> None:
    """Count all numbers anew."""
    with transaction.atomic():
        triggers.tally_anew(connection)
