"""Asking the provider about single numbers: what it asks for them, whether they are ours, whether for sale."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from numbersadmin.orders.quotes import Offer, Quote
from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import ProviderBusy, ProviderError
from numbersadmin.provider.limits import Caller
from numbersadmin.provider.schema import Page, ProviderNumber, same_number

SHARED_DIGITS = 3  # numbers that differ in their last three digits only are read with one call
MOST_PAGES = 5  # of a list filtered by one number


@dataclass(slots=True)
class Reading:
    """What the provider said about offers: their quotes by reference, those not for sale, those not read."""

    quotes: dict[str, Quote] = field(default_factory=dict)
    gone: list[Offer] = field(default_factory=list)
    unread: list[Offer] = field(default_factory=list)
    problem: ProviderError | None = None  # why some were not read


class Budget:
    """Seconds that may be waited for turns altogether."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def left(self) -> float:
        """What is left of it; raises ProviderBusy when nothing is."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise ProviderBusy("too many numbers to ask for at once", retry_after=5)
        return left


def read_quotes(
    provider: Provider, offers: Iterable[Offer], *, now: datetime, wait: float, caller: Caller = "person"
) -> Reading:
    """Read the offers' prices anew; `wait` is the longest time in seconds to wait for turns altogether.

    Numbers that differ only in their last digits are read with one call. A filter's exactness is not
    documented, so absence is believed only of a call for the whole number. Stops at the first trouble.
    """
    reading, budget = Reading(), Budget(wait)
    left = dict.fromkeys(offers)
    try:
        for country, prefix, group in _groups(left):
            page = provider.list_available(country=country, number=prefix, caller=caller, wait=budget.left())
            for offer in group:
                if facts := _exact(page.numbers, offer):
                    reading.quotes[offer.ref] = Quote.of_provider(facts, now)
                    del left[offer]
        for offer in list(left):
            facts = find_for_sale(provider, offer, caller=caller, wait=budget.left())
            if facts:
                reading.quotes[offer.ref] = Quote.of_provider(facts, now)
            else:
                reading.gone.append(offer)
            del left[offer]
    except ProviderError as problem:
        reading.problem = problem
        reading.unread = list(left)
    return reading


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


def _groups(offers: Iterable[Offer]) -> Iterator[tuple[str, str, list[Offer]]]:
    """(country, common digits, offers) of offers that are cheaper read together."""
    groups: dict[tuple[str, str, int], list[Offer]] = defaultdict(list)
    for offer in offers:
        prefix = offer.number[:-SHARED_DIGITS]
        if prefix.isdigit():
            groups[offer.country, prefix, len(offer.number)].append(offer)
    for (country, prefix, _), group in groups.items():
        if len(group) > 1:
            yield country, prefix, group


def _exact(numbers: Iterable[ProviderNumber], offer: Offer) -> ProviderNumber | None:
    return next((facts for facts in numbers if _is(facts, offer)), None)


def _is(facts: ProviderNumber, offer: Offer) -> bool:
    return same_number(facts.number, offer.number) and facts.country == offer.country


def _was_last(page: Page, number: int, size: int) -> bool:
    """Is there surely nothing behind this page? The provider may give fewer rows than asked for."""
    if not page.rows:
        return True
    return page.count is not None and (number + 1) * len(page.rows) >= page.count
