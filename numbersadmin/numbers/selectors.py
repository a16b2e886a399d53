"""What pages need to know about owned numbers: the filtered list with its totals, the choices, one number."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, F, IntegerField, Q, Sum, TextField, Value, When
from django.db.models.functions import Cast

from numbersadmin.accounts.models import User
from numbersadmin.money import Totals
from numbersadmin.numbers import since
from numbersadmin.numbers.models import OwnedNumber, OwnedNumberQuerySet, Status

ROWS = 50
NOBODY = "(none)"  # the filter value for "no owner" and "no cost centre"; no user name can look like it
ACTIVE, EVERY = "active", "all"

SORTS = {
    "number": ("number",),
    "country": ("country", "number"),
    "owner": ("owner__username", "number"),
    "cost_centre": ("cost_centre", "number"),
    "since": ("acquired_to", "number"),
    "state": ("status", "number"),
    "price": ("currency", "price_per_month", "number"),
}


@dataclass(frozen=True, slots=True)
class NumberFilter:
    """What a list of owned numbers is narrowed to; empty means any. `sort` is a key of SORTS, `-key` downwards."""

    q: str = ""
    country: str = ""
    capabilities: tuple[str, ...] = ()
    owner: str = ""
    cost_centre: str = ""
    state: str = ACTIVE
    sort: str = "number"


@dataclass(frozen=True, slots=True)
class NumberRow:
    """One line of the list. `labels` and `capabilities` are lists; an unknown price is None."""

    id: int
    number: str
    country: str
    capabilities: str
    labels: list[str]
    username: str | None
    full_name: str | None
    cost_centre: str
    status: str
    price_per_month: Decimal | None
    currency: str
    acquired_at: datetime | None
    acquired_from: datetime | None
    acquired_to: datetime
    acquired_basis: str
    acquired_note: str

    @property
    def capability_list(self) -> list[str]:
        """The capabilities, sorted."""
        return self.capabilities.split(",") if self.capabilities else []

    @property
    def owner_name(self) -> str:
        """What the owner is called; empty when there is none."""
        return self.full_name or self.username or ""

    @property
    def since(self) -> str:
        """Since when it is ours, short enough for a column."""
        return since.acquired_short(self)

    @property
    def since_in_full(self) -> str:
        """Since when it is ours, and how we know."""
        return since.acquired(self)


OWNER_FIELDS = {"username": F("owner__username"), "full_name": F("owner__full_name")}
ROW_FIELDS = tuple(column.name for column in fields(NumberRow) if column.name not in OWNER_FIELDS)


@dataclass(frozen=True, slots=True)
class NumberList:
    """A page of rows, and what all matching numbers cost together: `totals` covers those that have not ended."""

    page: Page[NumberRow]
    count: int
    totals: Totals
    unknown_prices: int


def digits_of(text: str) -> str:
    """The digits of a number in any notation (`+44 7860`, `0044-7860`), or empty when it is no number."""
    bare = re.sub(r"[\s+().\-/]", "", text)
    if not (bare.isascii() and bare.isdigit()):
        return ""
    return bare.removeprefix("00")


def matching(wanted: NumberFilter) -> OwnedNumberQuerySet:
    """Owned numbers that fit the filter, unordered."""
    found = OwnedNumber.objects.alias(label_text=Cast("labels", TextField()))
    found = found.filter(_in_state(wanted.state), _with_text(wanted.q))
    if wanted.country:
        found = found.filter(country=wanted.country)
    for capability in wanted.capabilities:
        found = found.filter(_able(capability))
    if wanted.owner == NOBODY:
        found = found.filter(owner__isnull=True)
    elif wanted.owner:
        found = found.filter(owner__username=wanted.owner)
    if wanted.cost_centre:
        found = found.filter(cost_centre="" if wanted.cost_centre == NOBODY else wanted.cost_centre)
    return found


def _in_state(state: str) -> Q:
    if state == ACTIVE:
        return ~Q(status=Status.ENDED)
    return Q() if state == EVERY else Q(status=state)


def _able(capability: str) -> Q:
    """Holds for the one word within the canonical `MMS,SMS,VOICE`."""
    return (
        Q(capabilities=capability)
        | Q(capabilities__startswith=f"{capability},")
        | Q(capabilities__endswith=f",{capability}")
        | Q(capabilities__contains=f",{capability},")
    )


def _with_text(text: str) -> Q:
    """Digits of the number in any notation, else a part of its name, of a label or of the cost centre."""
    if not (text := text.strip()):
        return Q()
    found = Q(cost_centre__icontains=text) | Q(label_text__icontains=text)
    if not text.isascii():  # SQLite keeps JSON with such letters escaped
        found |= Q(label_text__icontains=json.dumps(text)[1:-1])
    digits = digits_of(text)
    return found | (Q(number__contains=digits) if digits else Q(number__icontains=text))


def number_list(wanted: NumberFilter, page: int) -> NumberList:
    """One page of the matching numbers with the totals of all of them, in two queries.

    Raises django.core.paginator.EmptyPage when there is no such page.
    """
    found = matching(wanted)
    count, totals, unknown = _totals(found, counted=wanted.state != Status.ENDED)
    paginator = Paginator(found.order_by(*_order(wanted.sort)).values(*ROW_FIELDS, **OWNER_FIELDS), ROWS)
    paginator.count = count  # known already
    rows = paginator.page(page)
    rows.object_list = [NumberRow(**row) for row in rows.object_list]
    return NumberList(page=rows, count=count, totals=totals, unknown_prices=unknown)


def _order(sort: str) -> list[Any]:
    """Prices are put in order within each currency, never across."""
    down = sort.startswith("-")
    return [
        F(key).desc(nulls_last=True) if down and key != "currency" else F(key).asc(nulls_last=True)
        for key in (*SORTS[sort.removeprefix("-")], "id")
    ]


def _totals(found: OwnedNumberQuerySet, *, counted: bool) -> tuple[int, Totals, int]:
    """How many there are, what those not ended cost per month, and how many of these have no known price."""
    still_paid = ~Q(status=Status.ENDED)
    groups = list(
        found.order_by()
        .values("currency")
        .annotate(
            rows=Count("id"),
            paid=Count("id", filter=still_paid),
            known=Count("price_per_month", filter=still_paid),
            per_month=Sum("price_per_month", filter=still_paid),
        )
    )
    totals = Totals.of((group["currency"], group["per_month"]) for group in groups if group["currency"])
    known = sum(group["known"] for group in groups if group["currency"])
    unknown = sum(group["paid"] for group in groups) - known
    return sum(group["rows"] for group in groups), totals if counted else Totals(), unknown


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters can be set to: the values in use, sorted."""

    countries: list[str]
    capabilities: list[str]
    owners: list[tuple[str, str]]
    cost_centres: list[str]


def choices() -> Choices:
    """The countries, capabilities, owners and cost centres of all numbers, in four queries."""
    numbers = OwnedNumber.objects.order_by()
    owners = User.objects.filter(pk__in=numbers.filter(owner__isnull=False).values("owner"))
    return Choices(
        countries=countries_in_use(),
        capabilities=_able_in_use(),
        owners=[(user.username, user.display_name) for user in owners.order_by("username")],
        cost_centres=cost_centres_in_use(),
    )


def _able_in_use() -> list[str]:
    """The capabilities in use, single words first, then what numbers have together (`SMS,VOICE`)."""
    joined = set(OwnedNumber.objects.order_by().values_list("capabilities", flat=True).distinct()) - {""}
    single = {word for each in joined for word in each.split(",")}
    return [*sorted(single), *sorted(joined - single)]


def countries_in_use() -> list[str]:
    """Codes of the countries in which we own or owned a number."""
    return sorted(set(OwnedNumber.objects.order_by().values_list("country", flat=True).distinct()) - {""})


def cost_centres_in_use() -> list[str]:
    """The cost centres that numbers are charged to, as suggestions."""
    return sorted(set(OwnedNumber.objects.order_by().values_list("cost_centre", flat=True).distinct()) - {""})


def ours_among(numbers: Iterable[str]) -> dict[tuple[str, str], int]:
    """Of these numbers (digits), those that are ours now: (country, number) -> id of the newest."""
    found = OwnedNumber.objects.open().filter(number__in=set(numbers)).order_by("id")
    return {(country, number): pk for country, number, pk in found.values_list("country", "number", "id")}


def possessions(owned: OwnedNumber) -> list[OwnedNumber]:
    """Every time the same phone number was ours, newest first."""
    same = OwnedNumber.objects.filter(number=owned.number, country=owned.country)
    return list(same.order_by("-acquired_to", "-id"))


def newest(number: str) -> OwnedNumber | None:
    """The record of a number (digits) to show first: one that is ours before one that was, then the newest."""
    open_first = Case(When(status=Status.ENDED, then=Value(1)), default=Value(0), output_field=IntegerField())
    return OwnedNumber.objects.filter(number=number).order_by(open_first, "-acquired_to", "-id").first()


def may_edit(user: User, owned: OwnedNumber) -> bool:
    """May this person say whose the number is? Those who look after their own also take what nobody has."""
    if owned.status == Status.ENDED:
        return False
    if user.can("numbers.edit"):
        return True
    return user.can("numbers.edit_own") and owned.owner_id in (None, user.pk)


EXPORT_FIELDS = (
    "id number_key number country type capabilities shared price_per_month setup_price initial_month_price"
    " currency status acquired_on acquired_basis ended_on owner cost_centre"
).split()


def export_rows() -> Iterator[dict[str, Any]]:
    """Every number there is or was, oldest record first, one at a time."""
    rows = OwnedNumber.objects.order_by("id").values(
        *(set(EXPORT_FIELDS) - {"acquired_on", "ended_on", "owner"}),
        "acquired_at",
        "ended_to",
        "owner__username",
    )
    for row in rows.iterator(chunk_size=2000):
        found = row | {
            "capabilities": row["capabilities"].split(",") if row["capabilities"] else [],
            "currency": row["currency"] or None,
            "acquired_on": since.billing_day(row["acquired_at"]),
            "ended_on": since.billing_day(row["ended_to"]),
            "owner": row["owner__username"],
        }
        yield {name: found[name] for name in EXPORT_FIELDS}
