"""Reads owned numbers with all versions of their prices, as the possessions that charges are computed from."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Exists, Min, OuterRef, Q, QuerySet

from numbersadmin.costs.charges import Possession, Price
from numbersadmin.costs.months import Calendar, Month
from numbersadmin.numbers.models import AcquiredBasis, NumberVersion, OwnedNumber, Status
from numbersadmin.rows import batches
from numbersadmin.sync.models import RunStatus, SyncRun

PRICE = (
    "owned_number_id valid_from valid_to not_before"
    " price_per_month setup_price initial_month_price currency source"
).split()
NUMBER = (
    "id number_key number country type capabilities shared labels cost_centre owner__username"
    " status missing_since acquired_at acquired_from acquired_to acquired_basis ended_from ended_to bought_again"
).split()
NAMED_AT_ONCE = 5_000
_CERTAIN = frozenset({AcquiredBasis.PURCHASED_HERE, AcquiredBasis.STATED})


class Subject(NamedTuple):
    """What a charge is about, and what reports group it by; `id` is None where it is about no number of ours."""

    id: int | None
    number_key: str = ""
    number: str = ""
    country: str = ""
    type: str = ""
    capabilities: str = ""
    shared: bool = False
    labels: tuple[str, ...] = ()
    cost_centre: str = ""
    owner: str = ""

    @property
    def label_set(self) -> str:
        """All its labels together, which is one group of a report, so that groups add up."""
        return ", ".join(self.labels)


class Held(NamedTuple):
    """A possession, and the number as it stands now."""

    possession: Possession
    subject: Subject


def billing_calendar() -> Calendar:
    """The months of the account: in BILLING_TIME_ZONE, whatever zone people read in."""
    return Calendar(settings.BILLING_TIME_ZONE)


def last_list() -> datetime | None:
    """When the last complete reading of the provider's list began."""
    runs = SyncRun.objects.filter(status=RunStatus.COMPLETE).order_by("-started_at")
    return runs.values_list("started_at", flat=True).first()


def records_begin() -> datetime | None:
    """The first moment we know anything of: the first complete list, or a purchase before it."""
    runs = SyncRun.objects.filter(status=RunStatus.COMPLETE).order_by("started_at")
    first_run = runs.values_list("started_at", flat=True).first()
    first_number = OwnedNumber.objects.aggregate(first=Min("acquired_to"))["first"]
    return min((at for at in (first_run, first_number) if at), default=None)


def charged_between(first: Month, last: Month, calendar: Calendar) -> Q:
    """Is it a possession that may be charged for in these months? No other one is."""
    start, end = calendar.start(first), calendar.end(last)
    begun = Q(acquired_to__lt=end) | Q(acquired_from__lt=end) | Q(acquired_at__lt=end)
    return begun & (~Q(status=Status.ENDED) | Q(ended_to__gte=start))


def held_between(first: Month, last: Month, calendar: Calendar, listed: datetime | None) -> Iterator[Held]:
    """Possessions that may be charged for in these months, by id; in two queries."""
    return held_among(OwnedNumber.objects.filter(charged_between(first, last, calendar)), listed)


def held_of(number: str, country: str, listed: datetime | None) -> Iterator[Held]:
    """Every possession of one phone number, by id; in two queries."""
    return held_among(OwnedNumber.objects.filter(number=number, country=country), listed)


def held_with(ids: Iterable[int], listed: datetime | None) -> Iterator[Held]:
    """The possessions with these ids, by id; two queries for each so many that a database takes as parameters."""
    for some in named_at_once(ids):
        yield from held_among(OwnedNumber.objects.filter(id__in=some), listed)


def named_at_once(ids: Iterable[int]) -> Iterator[list[int]]:
    """Ids in their order, so many at a time as a database takes as parameters."""
    return batches(sorted(ids), NAMED_AT_ONCE)


def held_among(numbers: QuerySet[OwnedNumber], listed: datetime | None) -> Iterator[Held]:
    """These possessions, by id; in two queries."""
    before = OwnedNumber.objects.filter(
        number=OuterRef("number"), country=OuterRef("country"), id__lt=OuterRef("id"), status=Status.ENDED
    )
    numbers_read = numbers.annotate(bought_again=Exists(before)).order_by("id").values_list(*NUMBER)
    of_these = NumberVersion.objects.filter(owned_number__in=numbers.order_by().values("id"))
    versions = of_these.order_by("owned_number_id", "valid_from").values_list(*PRICE).iterator()
    prices = groupby(versions, itemgetter(0))
    at, rows = next(prices, (0, iter(())))
    for row in numbers_read.iterator():
        while at < row[0] and (further := next(prices, None)):
            at, rows = further
        if at == row[0]:
            yield held_row(row, tuple(map(price_of, rows)), listed)


def price_of(row: tuple[Any, ...]) -> Price:
    """The price in a version, from a row with the columns `PRICE`."""
    _, since, until, not_before, monthly, setup, initial, currency, source = row
    if not currency:  # an amount of nothing that can be named is unknown
        monthly = setup = initial = None
    return Price(since, until, not_before, monthly, setup, initial, currency, quoted=source == "purchase")


def held_row(row: tuple[Any, ...], prices: tuple[Price, ...], listed: datetime | None) -> Held:
    """A possession from a row with the columns `NUMBER`, and its prices."""
    (pk, key, number, country, kind, capabilities, shared, labels, cost_centre, owner, *rest) = row
    status, missing, *when, again = rest
    at, after, seen, basis, ended_from, ended_to = when
    if at is None and after is None and basis == AcquiredBasis.PURCHASED_HERE:
        at = seen
    if basis == AcquiredBasis.STATED and after is None:
        at = None  # an entered day from before records began explains; nothing is charged for that time
    possession = Possession(
        id=pk,
        acquired_to=seen,
        prices=prices,
        acquired_at=at,
        acquired_from=after,
        exact=basis in _CERTAIN,
        last_seen=ended_from or ended_to,
        gone_by=ended_to,
        listed_until=_listed_until(status, missing, prices[-1].valid_from, listed),
        bought_again=again,
    )
    whose = (tuple(sorted(labels)), cost_centre, owner or "")
    return Held(possession, Subject(pk, key, number, country, kind, capabilities, shared, *whose))


def _listed_until(
    status: str, missing: datetime | None, changed: datetime, listed: datetime | None
) -> datetime | None:
    """Until when a number that is ours was surely on the list; None for one that has ended."""
    if status == Status.ENDED:
        return None
    if status == Status.MISSING:
        return missing
    return max(changed, listed) if listed else changed
