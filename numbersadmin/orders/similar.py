"""Numbers for sale that can stand in for one that somebody else bought first."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from numbersadmin.numbers.selectors import ours_among
from numbersadmin.orders.models import Kind, OrderItem, State
from numbersadmin.orders.quotes import Quote, no_worse
from numbersadmin.orders.selectors import live_purchases
from numbersadmin.orders.trouble import Trouble, trouble_of
from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import ProviderBusy, ProviderError
from numbersadmin.provider.schema import ProviderNumber

MOST = 5
SEARCH_SECONDS = 4.0  # after which no further list is asked for
CUTS = (3, 6)  # so many digits are left away in the first calls; the last one is for the whole country


@dataclass(slots=True)
class Similar:
    """The nearest that were found, and why there may be nearer ones: `whole` is False while some were not read."""

    quotes: list[Quote] = field(default_factory=list)
    whole: bool = False
    trouble: Trouble | None = None


def wants_similar(item: OrderItem) -> bool:
    """Was it to be bought, and somebody else was first?"""
    return item.kind == Kind.PURCHASE and item.state == State.FAILED and item.failure == "gone"


def agreed_quote(item: OrderItem) -> Quote:
    """The offer that was approved, else the one that was asked for."""
    return Quote.from_json(item.approved_quote if item.approved_quote and item.approved_at else item.quote)


def nearest(provider: Provider, item: OrderItem, now: datetime, most: int = MOST) -> Similar:
    """Numbers that can do what this one could, for no more than was agreed to, nearest digits first.

    Asks for at most three lists of ever shorter beginnings, one page each: where one number in ten is for sale the
    first is enough, where one in some thousands is the second, and small countries fit on a page.
    """
    wanted = agreed_quote(item)
    ends, seen, found = time.monotonic() + SEARCH_SECONDS, dict[str, Quote](), Similar()
    for beginning in _beginnings(wanted.number):
        try:
            if (wait := ends - time.monotonic()) <= 0:
                raise ProviderBusy("one search reads only so much at a time", retry_after=5)
            page = provider.list_available(
                country=wanted.country, capabilities=wanted.capabilities, number=beginning, wait=wait
            )
        except ProviderError as problem:
            found.trouble, found.whole = trouble_of(problem), False
            break
        seen |= {quote.ref: quote for quote in _fitting(page.numbers, wanted, now)}
        found.whole = page.count is not None and page.count <= len(page.rows)
        if len(seen) >= most:
            break
    found.quotes = sorted(seen.values(), key=lambda quote: _distance(quote.number, wanted.number))[:most]
    return found


def _beginnings(number: str) -> list[str]:
    longer = [number[:-cut] for cut in CUTS if len(number) > cut]
    return [*longer, ""]


def _fitting(numbers: Iterable[ProviderNumber], wanted: Quote, now: datetime) -> list[Quote]:
    """Those that are no worse, not ours, and in no order that is going on."""
    quotes = [Quote.of_provider(facts, now) for facts in numbers]
    quotes = [quote for quote in quotes if quote.ref != wanted.ref and _stands_in(quote, wanted)]
    ours = ours_among(quote.number for quote in quotes)
    ordered = live_purchases(quote.offer for quote in quotes)
    return [
        quote for quote in quotes if (quote.country, quote.number) not in ours and quote.ref not in ordered
    ]


def _stands_in(quote: Quote, wanted: Quote) -> bool:
    """Would it be no worse, if it were the number that was wanted?"""
    return quote.buyable and no_worse(wanted, replace(quote, number=wanted.number))


def _distance(number: str, wanted: str) -> tuple[int, int, str]:
    """Sorts the longest common beginning first, then the smallest difference."""
    pairs = zip(number, wanted, strict=False)
    alike = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(number), len(wanted)))
    apart = abs(int(number) - int(wanted)) if number.isdecimal() and wanted.isdecimal() else 0
    return -alike, apart, number
