"""What the go-to box finds: numbers, orders, people, labels and cost centres, each with a link."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from urllib.parse import urlencode

from django.db.models import Count, Q, TextField
from django.db.models.functions import Cast

from numbersadmin.accounts.models import User
from numbersadmin.formats import SURELY_LONG, country_name, look, phone_intl
from numbersadmin.numbers.models import OwnedNumber, OwnedNumberQuerySet, Status
from numbersadmin.numbers.selectors import EVERY, NumberFilter, cost_centres_in_use, digits_of, matching
from numbersadmin.orders.models import Order

SHOWN = 5
FEWEST_DIGITS = 3  # of the end of a number
LOOKED_AT = 200  # records: of more it is only said that there are more
_ORDER = re.compile(r"(?:order\s*#?|#)\s*(\d{1,9})|(\d{1,6})", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that fits, with its page."""

    text: str
    url: str
    note: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Everything of one kind that fits: how many there are, the first of them, and the list of all."""

    title: str
    count: int
    hits: list[Hit] = field(default_factory=list)
    url: str = ""
    all_words: str = ""
    more: bool = False  # there are more than `count`

    @property
    def count_words(self) -> str:
        """How many there are."""
        return f"{self.count} or more" if self.more else str(self.count)


def find(text: str) -> list[Group]:
    """What fits the text, a group for each kind there is something of."""
    text = " ".join(text.split())
    digits, found = digits_of(text), list(_orders(text))
    if found and not text.isdigit():  # said to be an order
        return found
    numbers = list(_numbers(digits))
    if (found and not numbers) or (numbers and len(digits) >= SURELY_LONG):
        return [*numbers, *found]
    found = [*numbers, *found]
    found += [*_people(text), *_cost_centres(text)]
    return found if found and digits else [*found, *_labels(text)]


def straight(groups: list[Group]) -> str:
    """The page to go to when there is exactly one thing; else empty."""
    return groups[0].hits[0].url if len(groups) == 1 and groups[0].count == 1 and not groups[0].more else ""


def listed(**wanted: str) -> str:
    """The list of owned numbers, narrowed."""
    return f"/numbers/?{urlencode({name: value for name, value in wanted.items() if value})}"


def _numbers(digits: str) -> Iterator[Group]:
    """The number itself, each country's newest record; else those that end so."""
    if not digits:
        return
    if hits := _records(OwnedNumber.objects.filter(number=digits)):
        yield Group("Numbers", len(hits), hits[:SHOWN], listed(q=digits, state="all"), "All records")
        return
    if len(digits) < FEWEST_DIGITS:
        return
    ending = matching(NumberFilter(q=digits, state=EVERY)).filter(number__endswith=digits)
    if hits := _records(ending):
        url = listed(q=digits, state="all")
        title = f"Numbers that end in {digits}"
        yield Group(title, len(hits), hits[:SHOWN], url, f"All that contain {digits}", len(hits) >= LOOKED_AT)


def _records(found: OwnedNumberQuerySet) -> list[Hit]:
    """The record to show first of each number: one that is ours before one that was, then the newest."""
    rows = found.values_list("number", "country", "status", "acquired_to", "id")
    best: dict[tuple[str, str], tuple[bool, float, int, str]] = {}
    for number, country, status, seen, pk in rows[:LOOKED_AT]:
        rank = (status != Status.ENDED, seen.timestamp(), pk, status)
        best[number, country] = max(rank, best.get((number, country), rank))
    return [
        Hit(
            phone_intl(number),
            f"/numbers/{pk}/",
            f"{country_name(country)}, {look(status, 'number').text}".removeprefix(", "),
            country,
        )
        for (number, country), (_, _, pk, status) in best.items()
    ]


def _orders(text: str) -> Iterator[Group]:
    named = _ORDER.fullmatch(text)
    order = Order.objects.filter(pk=int(named[1] or named[2])).first() if named else None
    if order:
        yield Group("Orders", 1, [Hit(f"Order {order.pk}", f"/orders/{order.pk}/", order.reason[:80])])


def _people(text: str) -> Iterator[Group]:
    """People by name, with how many numbers are theirs."""
    fits = User.objects.filter(Q(username__icontains=text) | Q(full_name__icontains=text))
    owned = Count("numbers", filter=~Q(numbers__status=Status.ENDED))
    people = list(fits.annotate(owned=owned).order_by("username")[:SHOWN])
    if people:
        hits = [Hit(one.display_name, listed(owner=one.username), _owned(one.owned)) for one in people]
        yield Group("People", fits.count(), hits)


def _cost_centres(text: str) -> Iterator[Group]:
    names = [one for one in cost_centres_in_use() if text.casefold() in one.casefold()]
    if names:
        hits = [
            Hit(one, listed(cost_centre=one), _owned(_count(Q(cost_centre=one)))) for one in names[:SHOWN]
        ]
        yield Group("Cost centres", len(names), hits)


def _labels(text: str) -> Iterator[Group]:
    """Labels that hold the text, as far as the first numbers tell them."""
    words = {text, json.dumps(text)[1:-1]}  # SQLite keeps JSON with letters beyond ASCII escaped
    fits = reduce(or_, (Q(told__icontains=one) for one in sorted(words)))
    rows = matching(NumberFilter(q=text)).alias(told=Cast("labels", TextField())).filter(fits)
    found: dict[str, int] = {}
    for labels in rows.values_list("labels", flat=True)[:LOOKED_AT]:
        for label in labels:
            if text.casefold() in label.casefold():
                found[label] = found.get(label, 0) + 1
    if found:
        more = sum(found.values()) >= LOOKED_AT
        least = "at least " if more else ""
        hits = [Hit(name, listed(q=name), least + _owned(count)) for name, count in sorted(found.items())]
        yield Group("Labels", len(hits), hits[:SHOWN], listed(q=text), "All numbers with such a label", more)


def _count(wanted: Q) -> int:
    return OwnedNumber.objects.open().filter(wanted).count()


def _owned(count: int) -> str:
    return f"{count:,} number{'' if count == 1 else 's'}"
