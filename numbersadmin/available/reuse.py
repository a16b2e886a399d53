"""Reuse first: the numbers that are ours already, that nobody uses and that fit what is searched for."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q, QuerySet

from numbersadmin.accounts.models import User
from numbersadmin.available.models import Ask, AskState
from numbersadmin.available.selectors import CONTAINS, ENDS, STARTS, Search
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.numbers.selectors import NOBODY, NumberFilter, matching
from numbersadmin.orders.models import LIVE, Kind, OrderItem

SHOWN = 3
COUNTED = 100  # of more it is only said that there are more
PLACES = {CONTAINS: "contains", STARTS: "startswith", ENDS: "endswith"}


@dataclass(frozen=True, slots=True)
class Reuse:
    """The first spare numbers that fit, how many there are, and which of them this person has asked for."""

    numbers: list[OwnedNumber]
    count: int
    asked: frozenset[int]
    all_url: str

    @property
    def count_words(self) -> str:
        """How many there are."""
        return f"More than {COUNTED}" if self.count > COUNTED else str(self.count)


def spare(wanted: Search) -> QuerySet[OwnedNumber]:
    """Numbers that are ours for sure, have no owner, are not to be cancelled, and fit; by country and number."""
    filters = NumberFilter(
        country=wanted.country, capabilities=wanted.capabilities, owner=NOBODY, state=Status.OWNED
    )
    going = OrderItem.objects.filter(kind=Kind.CANCEL, state__in=LIVE, owned_number=OuterRef("pk"))
    fits = Q(**{f"number__{PLACES[wanted.match]}": wanted.digits}) if wanted.digits else Q()
    if wanted.type:
        fits &= Q(type=wanted.type)
    if wanted.max_price is not None:
        fits &= Q(price_per_month__lte=wanted.max_price)
    return matching(filters).filter(fits, ~Exists(going)).order_by("country", "number", "id")


def reuse(person: User, wanted: Search) -> Reuse | None:
    """What the search page shows on top; None when nothing fits. Reads COUNTED rows at most, in two queries."""
    found = list(spare(wanted)[: COUNTED + 1])
    if not found:
        return None
    shown = found[:SHOWN]
    asked = Ask.objects.filter(asked_by=person, state=AskState.OPEN, owned_number__in=shown)
    link = {"owner": NOBODY, "country": wanted.country, "capabilities": wanted.capabilities}
    query = urlencode({name: value for name, value in link.items() if value}, doseq=True)
    return Reuse(
        shown, len(found), frozenset(asked.values_list("owned_number_id", flat=True)), f"/numbers/?{query}"
    )
