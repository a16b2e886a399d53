"""What pages need to know about owned numbers: which fit a filter, one number, values in use."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Case, F, IntegerField, Q, Sum, TextField, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import IContains

from numbersadmin.accounts.models import User
from numbersadmin.numbers import as_of as as_of  # also for other apps
from numbersadmin.numbers import history as history  # also for other apps
from numbersadmin.numbers import rows as rows  # also for other apps
from numbersadmin.numbers import since as since  # also for other apps
from numbersadmin.numbers.models import NumberTally, OwnedNumber, OwnedNumberQuerySet, Status
from numbersadmin.rows import beginning, by_index_only

NOBODY = "(none)"  # the filter value for "no owner" and "no cost centre"; no user name can look like it
ACTIVE, EVERY = "active", "all"
FILTERED = ("status", "country", "owner", "cost_centre")
SHORT = 3  # trigrams find nothing shorter: such digits are a beginning, such text a whole label

EVERYWHERE = 5000  # so many that fit a text are no longer looked up in SQLite's search table
IN_SEARCH_TABLE = "FROM numbers_search WHERE numbers_search MATCH %s"
ORDERS = {  # the id decides between equals; amounts are put in order within each currency, never across
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
    """What a list of owned numbers is narrowed to; empty means any. `sort` is a key of ORDERS, `-key` downwards."""

    q: str = ""
    country: str = ""
    capabilities: tuple[str, ...] = ()
    owner: str = ""
    cost_centre: str = ""
    state: str = ACTIVE
    sort: str = "number"


def digits_of(text: str) -> str:
    """The digits of a number in any notation (`+44 7860`, `0044-7860`), or empty when it is no number."""
    bare = re.sub(r"[\s+().\-/]", "", text)
    if not (bare.isascii() and bare.isdigit()):
        return ""
    return bare.removeprefix("00")


def matching(wanted: NumberFilter, *, by_index: bool = True, text: Q | None = None) -> OwnedNumberQuerySet:
    """Owned numbers that fit the filter, unordered.

    Without `by_index` the database must not look the filters up in an index, because it is to follow the order.
    `text` is `with_text(wanted.q)` where that is known already.
    """
    found = OwnedNumber.objects.all()
    name = str if by_index else "plain_{}".format
    if not by_index:
        found = found.alias(**{f"plain_{column}": Coalesce(F(column), F(column)) for column in FILTERED})
    found = found.filter(_in_state(wanted.state, name("status")))
    found = found.filter(with_text(wanted.q) if text is None else text)
    if wanted.country:
        found = found.filter(**{name("country"): wanted.country})
    for capability in wanted.capabilities:
        found = found.filter(_able(capability))
    if wanted.owner == NOBODY:
        found = found.filter(**{f"{name('owner')}__isnull": True})
    elif wanted.owner:
        owner = User.objects.filter(username=wanted.owner).values_list("pk", flat=True).first()
        found = found.filter(**{name("owner"): owner}) if owner else found.none()
    if wanted.cost_centre:
        cost_centre = "" if wanted.cost_centre == NOBODY else wanted.cost_centre
        found = found.filter(**{name("cost_centre"): cost_centre})
    return found


def _in_state(state: str, column: str) -> Q:
    if state == ACTIVE:
        return ~Q(status=Status.ENDED)
    return Q() if state == EVERY else Q(**{column: state})


def _able(capability: str) -> Q:
    """Holds for the one word within the canonical `MMS,SMS,VOICE`."""
    return (
        Q(capabilities=capability)
        | Q(capabilities__startswith=f"{capability},")
        | Q(capabilities__endswith=f",{capability}")
        | Q(capabilities__contains=f",{capability},")
    )


def with_text(text: str) -> Q:
    """Digits of the number in any notation, else a part of its name, of a label or of the cost centre.

    One or two digits are the beginning of a number, one or two letters also a whole label.
    """
    if not (text := text.strip()):
        return Q()
    digits = digits_of(text)
    if 0 < len(digits) < SHORT:
        return beginning(digits)
    centres = NumberTally.objects.filter(cost_centre__icontains=text).values_list("cost_centre", flat=True)
    found = Q(cost_centre__in=list(centres.order_by().distinct()))
    if len(text) < SHORT:
        found |= Q(number__istartswith=text)
    if connection.vendor == "sqlite" and not _is_everywhere(terms := _search_terms(text, digits)):
        return found | Q(pk__in=RawSQL(f"SELECT rowid {IN_SEARCH_TABLE}", [terms]))  # noqa: S611 - a parameter
    if len(text) >= SHORT:
        found |= Q(number__icontains=digits or text)
    as_written = json.dumps(text, ensure_ascii=False)  # with its quotes it is a whole label
    labelled = IContains(Cast("labels", TextField()), as_written[1:-1] if len(text) >= SHORT else as_written)
    if digits and not _is_in_a_label(text, labelled):  # as mostly: then no row need be asked
        return found
    return found | Q(labelled)


def _is_in_a_label(text: str, labelled: IContains) -> bool:
    if connection.vendor == "sqlite":
        return _finds_more_than(0, _label_term(text))
    with by_index_only():
        return OwnedNumber.objects.filter(labelled).exists()


def _search_terms(text: str, digits: str) -> str:
    """The question to SQLite's full text table (numbers/triggers.py); a quote is doubled in its language."""
    terms = [_label_term(text)]
    if len(text) >= SHORT and len(number := digits or text) >= SHORT:
        terms.append('number : "{}"'.format(number.replace('"', '""')))
    return " OR ".join(terms)


def _label_term(text: str) -> str:
    label = text.replace('"', '""')
    return f'labels : "{label}"' if len(text) >= SHORT else f'labels : "\n{label}\n"'


def _is_everywhere(terms: str) -> bool:
    """Do so many fit that they are met with on the way through any order sooner than they are all listed?

    Beyond ASCII only the search table knows small letters from capitals, so there it is never so.
    """
    return terms.isascii() and _finds_more_than(EVERYWHERE, terms)


def _finds_more_than(count: int, terms: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 {IN_SEARCH_TABLE} LIMIT 1 OFFSET %s", [terms, count])
        return cursor.fetchone() is not None


def countries_in_use() -> list[str]:
    """Codes of the countries in which we own or owned a number."""
    return _in_use("country")


def cost_centres_in_use() -> list[str]:
    """The cost centres that numbers are charged to, as suggestions."""
    return _in_use("cost_centre")


def _in_use(column: str) -> list[str]:
    values = NumberTally.objects.order_by().values_list(column, flat=True)
    return sorted(set(values.annotate(all=Sum("numbers")).filter(all__gt=0)) - {""})


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
