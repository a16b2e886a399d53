"""What the search page needs to know: the numbers for sale that fit, what they cost, and what is chosen."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from numbersadmin.available.asks import asks_to_answer as asks_to_answer  # also for other apps
from numbersadmin.available.reading import Listing, Query, Stretch
from numbersadmin.available.shelf import Asked, Shelf
from numbersadmin.formats import e164
from numbersadmin.money import Totals, days_in_month, prorate
from numbersadmin.numbers.selectors import ours_among
from numbersadmin.orders.selectors import Offer, live_purchases
from numbersadmin.provider.errors import ProviderError
from numbersadmin.provider.schema import Page, ProviderNumber

ROWS = 50
STEP = 2  # pages of the provider that one more step checks: what its limit allows at once
MOST_CHOSEN = 20
PRICE_UNKNOWN = "Price unknown"
CONTAINS, STARTS, ENDS = "contains", "starts", "ends"

SORTS: dict[str, Callable[[ProviderNumber], Any]] = {
    "number": lambda one: (one.number,),
    "country": lambda one: (one.country, one.number),
    "price": lambda one: one.price.per_month,
    "setup": lambda one: one.price.setup,
    "first": lambda one: one.price.initial_month,
}
PRICES = ("price", "setup", "first")


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; empty means any. `checked` is how many numbers of the list to look through."""

    country: str = ""
    capabilities: tuple[str, ...] = ()
    digits: str = ""
    match: str = CONTAINS
    type: str = ""
    max_price: Decimal | None = None
    sort: str = ""
    page: int = 1
    checked: int = 0

    @property
    def query(self) -> Query:
        """The part of it that the provider filters by."""
        return Query(self.country, tuple(sorted(self.capabilities)), self.digits)

    @property
    def is_ours(self) -> bool:
        """Is there a part that only we can filter or sort by?"""
        return bool(self.digits or self.type or self.max_price is not None or self.sort)

    def fits(self, number: ProviderNumber) -> bool:
        """Does the number fit? The provider's own filters are checked again: how exact they are is not documented."""
        price = number.price.per_month
        return (
            self.country in ("", number.country)
            and set(self.capabilities) <= set(number.capabilities)
            and self.type in ("", number.type)
            and (self.max_price is None or (price is not None and price <= self.max_price))
            and self._has_digits(number.number)
        )

    def _has_digits(self, number: str) -> bool:
        if self.match == STARTS:
            return number.startswith(self.digits)
        return number.endswith(self.digits) if self.match == ENDS else self.digits in number


@dataclass(frozen=True, slots=True)
class Found:
    """One page of what fits.

    `matches`: how many fit among the `checked`, None when the provider's own count says it all. `listed`: how
    many it lists under its filters. `step`: how many more one click checks, 0 when all were. `page` is the page
    that was found; it differs from the one asked for when that is not there.
    """

    numbers: list[ProviderNumber]
    page: int
    first: int
    total: int | None
    has_next: bool
    matches: int | None
    checked: int
    listed: int | None
    step: int = 0
    invalid: int = 0
    problem: ProviderError | None = None


def search(listing: Listing, wanted: Search, page_size: int) -> Found:
    """The numbers that fit. Raises ProviderError when nothing can be read."""
    if wanted.is_ours:
        return _looked_through(listing.beginning(wanted.checked or STEP * page_size), wanted, page_size)
    return _as_listed(listing, wanted, page_size)


def _looked_through(stretch: Stretch, wanted: Search, page_size: int) -> Found:
    """Filter and sort what was read of the list."""
    fitting = _in_order([one for one in stretch.numbers if wanted.fits(one)], wanted.sort)
    page = wanted.page if (wanted.page - 1) * ROWS < len(fitting) else 1
    start = (page - 1) * ROWS
    left = None if stretch.listed is None else max(0, stretch.listed - stretch.read)
    step = 0 if stretch.whole else STEP * page_size if left is None else min(STEP * page_size, left)
    return Found(
        numbers=fitting[start : start + ROWS],
        page=page,
        first=start + 1,
        total=len(fitting),
        has_next=start + ROWS < len(fitting),
        matches=len(fitting),
        checked=stretch.read,
        listed=stretch.listed,
        step=step,
        invalid=stretch.invalid,
        problem=stretch.problem,
    )


def _in_order(numbers: list[ProviderNumber], sort: str) -> list[ProviderNumber]:
    """Sorted; prices within each currency, never across, and unknown ones last."""
    key = sort.removeprefix("-")
    if key not in SORTS:
        return numbers
    down, value = sort.startswith("-"), SORTS[key]
    if key not in PRICES:
        return sorted(numbers, key=value, reverse=down)
    known = [one for one in numbers if value(one) is not None]
    unknown = [one for one in numbers if value(one) is None]
    known.sort(key=lambda one: one.number)
    known.sort(key=value, reverse=down)
    known.sort(key=lambda one: one.price.currency)
    return known + unknown


def _as_listed(listing: Listing, wanted: Search, size: int) -> Found:
    """A page of the list as the provider orders it: a part of one of its pages, so that one call is enough."""
    place = _place(wanted.page, size)
    read = listing.page(place.behind)
    if not _is_regular(read, place):
        given = len(listing.page(0).rows)
        if 0 < given < size:  # it gives fewer than asked for: its pages are that long
            size, place = given, _place(wanted.page, given)
            read = listing.page(place.behind)
    rows = read.decoded[place.part * ROWS : (place.part + 1) * ROWS]
    if not rows and wanted.page > 1:
        return _as_listed(listing, replace(wanted, page=1), size)
    numbers = [one for one in rows if isinstance(one, ProviderNumber)]
    shown = place.start + len(rows)
    more_here = (place.part + 1) * ROWS < len(read.rows)
    more_behind = len(read.rows) >= size if read.count is None else len(rows) > 0 and shown < read.count
    return Found(
        numbers=[one for one in numbers if wanted.fits(one)],
        page=wanted.page,
        first=place.start + 1,
        total=read.count,
        has_next=more_here or more_behind,
        matches=None,
        checked=len(rows),
        listed=read.count,
        invalid=len(rows) - len(numbers),
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of ours lies: in which page of the provider, and where its first row is in the whole list."""

    behind: int
    part: int
    size: int

    @property
    def start(self) -> int:
        return self.behind * self.size + self.part * ROWS


def _place(page: int, size: int) -> Place:
    behind, part = divmod(page - 1, -(-size // ROWS))
    return Place(behind, part, size)


def _is_regular(read: Page, place: Place) -> bool:
    """Is the page as long as was asked for, or the end of the list?"""
    if read.count is None or len(read.rows) == place.size:
        return True
    before = place.behind * place.size
    return before + len(read.rows) == read.count or (not read.rows and before >= read.count)


# What is shown of them -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One number for sale. `taken` says why it cannot be chosen, with the page that tells more."""

    ref: str
    number: str
    country: str
    type: str
    capabilities: tuple[str, ...]
    shared: bool
    asked: Asked
    problem: str
    taken: str = ""
    taken_url: str = ""
    chosen: bool = False

    @property
    def copied(self) -> str:
        """What the copy button copies."""
        return e164(self.number)


def lines(numbers: Iterable[ProviderNumber], chosen: Iterable[str]) -> list[Line]:
    """The rows of the table, with what is ours or ordered already, in two queries."""
    numbers, chosen = list(numbers), set(chosen)
    offers = [Offer(one.country, one.number) for one in numbers]
    ours = ours_among(one.number for one in numbers)
    ordered = live_purchases(offers)
    found = []
    for number, offer in zip(numbers, offers, strict=True):
        taken = _taken(number, ours.get((number.country, number.number)), ordered.get(offer.ref))
        found.append(_line(number, offer.ref, taken, offer.ref in chosen and not taken[0]))
    return found


def taken_among(numbers: Iterable[ProviderNumber]) -> dict[str, str]:
    """Which of these cannot be ordered, by key, and why in a word; two queries."""
    numbers = list(numbers)
    ours = ours_among(one.number for one in numbers)
    ordered = live_purchases(Offer(one.country, one.number) for one in numbers)
    taken = {}
    for one in numbers:
        owned, order = ours.get((one.country, one.number)), ordered.get(Offer(one.country, one.number).ref)
        if why := _taken(one, owned, order)[0]:
            taken[one.number_key] = why
    return taken


def _line(number: ProviderNumber, ref: str, taken: tuple[str, str], chosen: bool) -> Line:
    price = number.price
    return Line(
        ref=ref,
        number=number.number,
        country=number.country,
        type=number.type,
        capabilities=number.capabilities,
        shared=number.shared,
        asked=Asked(price.currency, price.setup, price.initial_month, price.per_month),
        problem=price.problem,
        taken=taken[0],
        taken_url=taken[1],
        chosen=chosen,
    )


def _taken(number: ProviderNumber, owned: int | None, order: int | None) -> tuple[str, str]:
    """Why the number cannot be chosen, and where to read more. A shared number can be ours more than once."""
    price = number.price
    if order:
        return f"Order {order}", f"/orders/{order}/"
    if owned and not number.shared:
        return "Yours", f"/numbers/{owned}/"
    if not price.currency or price.per_month is None or price.setup is None:
        return PRICE_UNKNOWN, ""
    return "", ""


def month_label(rows: Iterable[Line], today: date) -> str:
    """`October, 19 of 31 days` when every first price shown is just that share of the month, else `October`."""
    of_days = days_in_month(today)
    days = of_days - today.day + 1
    known = [
        (one.asked.monthly, one.asked.month)
        for one in rows
        if one.asked.monthly is not None and one.asked.month is not None
    ]
    fits = bool(known) and all(prorate(monthly, days, of_days) == month for monthly, month in known)
    return f"{today:%B}, {days} of {of_days} days" if fits else f"{today:%B}"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is ticked: references, those not on this page with what they cost, and the sums of all."""

    refs: list[str]
    elsewhere: list[tuple[Offer, Asked]]
    setup: Totals
    month: Totals
    monthly: Totals
    unknown: int
    too_many: bool = False


def chosen_now(refs: Iterable[str], shown: Iterable[Line], shelf: Shelf) -> Chosen:
    """The chosen offers with their sums; more than MOST_CHOSEN are cut off, and that is said."""
    every = list(dict.fromkeys(refs))
    here = {line.ref: line for line in shown}
    kept = [ref for ref in every if ref not in here or here[ref].chosen][:MOST_CHOSEN]
    costs: Mapping[str, Asked] = shelf.asked(ref for ref in kept if ref not in here)
    asked = {ref: here[ref].asked if ref in here else costs.get(ref, UNKNOWN) for ref in kept}
    return Chosen(
        refs=kept,
        elsewhere=[(Offer.parse(ref), asked[ref]) for ref in kept if ref not in here],
        setup=Totals.of((one.currency, one.setup) for one in asked.values()),
        month=Totals.of((one.currency, one.month) for one in asked.values()),
        monthly=Totals.of((one.currency, one.monthly) for one in asked.values()),
        unknown=sum(one.monthly is None for one in asked.values()),
        too_many=len(every) > MOST_CHOSEN,
    )


UNKNOWN = Asked("", None, None, None)
