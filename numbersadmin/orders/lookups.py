"""Asking the provider about single numbers: what it asks for them, whether they are ours, whether for sale."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from numbersadmin.orders.quotes import Offer, Quote
from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import ProviderBusy, ProviderError
from numbersadmin.provider.limits import Caller
from numbersadmin.provider.schema import Page, ProviderNumber, same_number

WORTH_A_TRY = 4  # so many numbers of a country are first looked for on one page of it
SELDOM = 10  # of the digits that are possible, about one in so many is for sale
MOST_PAGES = 5  # of a list filtered by one number


@dataclass(slots=True)
class Reading:
    """What the provider said about offers: their quotes by reference, those not for sale, those not read."""

    quotes: dict[str, Quote] = field(default_factory=dict)
    gone: list[Offer] = field(default_factory=list)
    unread: list[Offer] = field(default_factory=list)
    problem: ProviderError | None = None  # why some were not read


def read_quotes(
    provider: Provider,
    offers: Iterable[Offer],
    *,
    now: datetime,
    wait: float,
    caller: Caller = "person",
    search: Mapping[str, Any] | None = None,
) -> Reading:
    """Read the offers' prices anew; `wait` is the longest time in seconds to wait for turns altogether.

    Numbers that begin alike are read together where that saves calls. A filter's exactness is not documented,
    so absence is believed only of a call for the whole number. Stops at the first trouble.
    `search`: what a bulk order was gathered with; many of its numbers are on the same few pages still. They are
    read from its `begin` on, a part of their length.
    """
    reader = _Reader(provider, dict.fromkeys(offers), now, time.monotonic() + wait, caller)
    reading = reader.reading
    try:
        if search and len(reader.left) >= WORTH_A_TRY:
            reader.along(search)
        for country, group in _by(reader.left, lambda offer: offer.country):
            reader.together(country, group)
        for offer in list(reader.left):
            if not reader.take(offer, find_for_sale(provider, offer, caller=caller, wait=reader.wait())):
                reading.gone.append(offer)
                del reader.left[offer]
    except ProviderError as problem:
        reading.problem = problem
        reading.unread = list(reader.left)
    return reading


@dataclass(slots=True)
class _Reader:
    """One reading of several prices on its way."""

    provider: Provider
    left: dict[Offer, None]
    now: datetime
    ends: float
    caller: Caller
    reading: Reading = field(default_factory=Reading)

    def wait(self) -> float:
        """Seconds that may still be waited; raises ProviderBusy when there are none."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise ProviderBusy("too many numbers to ask for at once", retry_after=5)
        return left

    def take(self, offer: Offer, facts: ProviderNumber | None) -> bool:
        """Keep the quote of an offer that was found."""
        if facts:
            self.reading.quotes[offer.ref] = Quote.of_provider(facts, self.now)
            del self.left[offer]
        return facts is not None

    def along(self, search: Mapping[str, Any]) -> None:
        """Look for offers on the pages where the search found them, and one behind for what moved."""
        size = self.provider.page_size
        pages = -(-int(search.get("rows", 0)) // size)
        first = max(0, int(pages * search.get("begin", 0)) - 1)
        if pages - first > len(self.left):
            return  # so few are asked for sooner one by one
        passed = first * size
        for number in range(first, pages + 1):
            if not self.left:
                return
            page = self.provider.list_available(
                page=number,
                country=search.get("country", ""),
                capabilities=tuple(search.get("capabilities", ())),
                number=search.get("number", ""),
                caller=self.caller,
                wait=self.wait(),
            )
            for facts in page.numbers:
                if (offer := Offer(facts.country, facts.number)) in self.left:
                    self.take(offer, facts)
            passed += len(page.rows)
            if not page.rows or (page.count is not None and passed >= page.count):
                return

    def together(self, country: str, offers: list[Offer], rows: float | None = None) -> None:
        """Look for offers on one page of what begins alike; `rows` is about how many the provider has of that."""
        if len(offers) < 2:
            return
        prefix = _beginning(offers)
        if rows is None:
            free = max(len(offer.number) for offer in offers) - len(prefix)
            rows = 0 if len(offers) >= WORTH_A_TRY else 10.0**free / SELDOM
        if (country or prefix) and rows <= self.provider.page_size * len(offers):
            page = self.provider.list_available(
                country=country, number=prefix, caller=self.caller, wait=self.wait()
            )
            offers = [offer for offer in offers if not self.take(offer, _exact(page.numbers, offer))]
            if page.count is None or page.count <= len(page.rows):
                return
            rows = float(page.count)
        for _, group in _by(offers, lambda offer: offer.number[len(prefix) : len(prefix) + 1]):
            longer = _beginning(group)
            self.together(country, group, rows / 10 ** (len(longer) - len(prefix)))


def find_for_sale(
    provider: Provider, offer: Offer, *, caller: Caller = "worker", wait: float
) -> ProviderNumber | None:
    """The number among those for sale, or None. Raises ProviderError."""
    for number in range(MOST_PAGES):
        page = provider.list_available(
            page=number, country=offer.country, number=offer.number, caller=caller, wait=wait
        )
        if facts := _exact(page.numbers, offer):
            return facts
        if _was_last(page, number, provider.page_size):
            break
    return None


def find_owned(
    provider: Provider,
    offer: Offer,
    *,
    without: Iterable[str] = (),
    caller: Caller = "worker",
    wait: float,
) -> list[ProviderNumber]:
    """The account's numbers that are exactly this one, but for the keys in `without`. Raises ProviderError."""
    found: dict[str, ProviderNumber] = {}
    for number in range(MOST_PAGES):
        page = provider.list_owned(page=number, number=offer.number, caller=caller, wait=wait)
        found |= {facts.number_key: facts for facts in page.numbers if _is(facts, offer)}
        if _was_last(page, number, provider.page_size):
            break
    for key in without:
        found.pop(key, None)
    return list(found.values())


def _by(offers: Iterable[Offer], key: Callable[[Offer], str]) -> list[tuple[str, list[Offer]]]:
    groups: dict[str, list[Offer]] = {}
    for offer in offers:
        groups.setdefault(key(offer), []).append(offer)
    return list(groups.items())


def _beginning(offers: list[Offer]) -> str:
    """The digits that all the numbers begin with."""
    first, last = min(offer.number for offer in offers), max(offer.number for offer in offers)
    same = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), None)
    return first if same is None else first[:same]


def _exact(numbers: Iterable[ProviderNumber], offer: Offer) -> ProviderNumber | None:
    return next((facts for facts in numbers if _is(facts, offer)), None)


def _is(facts: ProviderNumber, offer: Offer) -> bool:
    return same_number(facts.number, offer.number) and facts.country == offer.country


def _was_last(page: Page, number: int, size: int) -> bool:
    """Is there surely nothing behind this page? The provider may give fewer rows than asked for."""
    if not page.rows:
        return True
    return page.count is not None and (number + 1) * len(page.rows) >= page.count
