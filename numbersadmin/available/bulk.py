"""The first so many numbers that fit a search, gathered to be ordered at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from numbersadmin.accounts.models import User
from numbersadmin.available.reading import Listing, Stretch
from numbersadmin.available.selectors import PRICE_UNKNOWN, Search, taken_among
from numbersadmin.money import ZERO
from numbersadmin.orders.services import Ledger, Quote, purchase_ledgers, seal_offers
from numbersadmin.provider.errors import ProviderError

MOST_ROWS = 20_000  # of the provider's list that are looked through for one order


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was found of the list so far, of `count`. `left_out`: numbers that fit but cannot be had, and why.

    `more`: the list goes on and has not been read far enough yet. `rows`: so many of it were looked through,
    `invalid` of which could not be understood.
    """

    count: int
    quotes: list[Quote]
    left_out: list[tuple[str, str]]
    rows: int
    invalid: int
    more: bool
    problem: ProviderError | None
    ledgers: list[Ledger]

    @property
    def trouble(self) -> ProviderError | None:
        """What has to be over before it can go on; that others are asking too is none."""
        return None if self.problem and self.problem.kind == "busy" else self.problem


def gather(listing: Listing, wanted: Search, count: int, *, page_size: int, now: datetime) -> Gathered:
    """The first `count` that fit and can be had, in the provider's own order. Raises ProviderError.

    Reads as far as is needed and a person can be kept waiting; pages that were read stay on the shelf, so the
    same call a moment later goes on where this one stopped.
    """
    wanted = replace(wanted, sort="", page=1)
    rows = page_size * max(1, -(-count // page_size))
    while True:
        stretch = listing.beginning(rows)
        quotes, left_out = _divided(stretch, wanted, count, now)
        ended = stretch.whole or stretch.problem is not None or stretch.read >= MOST_ROWS
        if len(quotes) >= count or ended:
            break
        rows = stretch.read + page_size
    return Gathered(
        count=count,
        quotes=quotes,
        left_out=left_out,
        rows=stretch.read,
        invalid=stretch.invalid,
        more=len(quotes) < count and not stretch.whole and stretch.read < MOST_ROWS,
        problem=stretch.problem,
        ledgers=purchase_ledgers(quotes, now) if quotes else [],
    )


def _divided(
    stretch: Stretch, wanted: Search, count: int, now: datetime
) -> tuple[list[Quote], list[tuple[str, str]]]:
    """The first `count` of what fits, each number once, and what was passed over on the way, with the reason."""
    fitting = [one for one in stretch.numbers if wanted.fits(one)]
    taken = taken_among(fitting)
    quotes: dict[str, Quote] = {}
    left_out: list[tuple[str, str]] = []
    for one in fitting:
        if len(quotes) == count:
            break
        quote = Quote.of_provider(one, stretch.oldest or now)
        if why := taken.get(one.number_key) or ("" if quote.buyable else PRICE_UNKNOWN):
            left_out.append((one.number, why))
        else:
            quotes.setdefault(quote.ref, quote)
    return list(quotes.values()), left_out


def as_kept(wanted: Search, count: int, rows: int) -> dict[str, Any]:
    """The search as an order keeps it: what the provider filters by, ours in words, and how far it was read."""
    return {
        "country": wanted.country,
        "capabilities": sorted(wanted.capabilities),
        "number": wanted.digits,
        "match": wanted.match,
        "type": wanted.type,
        "max_price": None if wanted.max_price is None else f"{wanted.max_price:f}",
        "count": count,
        "rows": rows,
    }


def spread(quotes: Sequence[Quote]) -> list[tuple[Quote, Quote]]:
    """The cheapest and the dearest per month, for each currency."""
    groups: dict[str, list[Quote]] = {}
    for quote in quotes:
        if quote.price_per_month is not None:
            groups.setdefault(quote.currency, []).append(quote)
    ends = []
    for code in sorted(groups):
        by_price = sorted(groups[code], key=lambda one: (one.price_per_month or ZERO, one.number))
        ends.append((by_price[0], by_price[-1]))
    return ends


def sealed(person: User, wanted: Search, gathered: Gathered, now: datetime) -> dict[str, str]:
    """The fields that carry what is shown on to the order, unalterable and for this person alone."""
    search = as_kept(wanted, len(gathered.quotes), gathered.rows)
    return seal_offers(person, gathered.quotes, now, search=search)
