"""What an approver's page shows: the offers as read for it are kept with the items that it asks about.

A long order cannot be read in one go at the provider's pace, so what was read lately is not read again: page and
approval go on where the last one stopped. Right before each purchase its price is read once more all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction

from numbersadmin.orders.lookups import Reading, read_quotes
from numbersadmin.orders.models import Order, OrderItem, State
from numbersadmin.orders.quotes import Offer, Quote
from numbersadmin.provider.client import Provider
from numbersadmin.provider.errors import ProviderError

FRESH = timedelta(seconds=60)  # what a page read so lately is not read again for the same page
BULK_FRESH = timedelta(minutes=10)  # nor of an order of the first so many


@dataclass(slots=True)
class Shown:
    """What the provider asks for items, by their ids: offers, those not for sale, and how many are not read."""

    quotes: dict[int, Quote] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    unread: int = 0
    problem: ProviderError | None = None  # why some are not read


def look(
    provider: Provider,
    order: Order,
    items: Sequence[OrderItem],
    *,
    now: datetime,
    wait: float,
    again: bool = True,
) -> Shown:
    """The offers of an order's items that wait, read now for `wait` seconds at most, and kept.

    Not `again`: what was read a moment ago counts. Of a bulk order what was read within ten minutes always does.
    """
    within = BULK_FRESH if order.search else timedelta() if again else FRESH
    lately = {item.pk for item in items if item.checked_at and now - item.checked_at < within}
    asked = [item for item in items if item.pk not in lately]
    by_offer = {Offer(item.country, item.number): item for item in asked}
    search = order.search
    if search and asked:
        search = {**search, "begin": items.index(asked[0]) / len(items)}
    reading = read_quotes(provider, by_offer, now=now, wait=wait, search=search) if asked else Reading()
    read: dict[OrderItem, Quote | None] = {by_offer[quote.offer]: quote for quote in reading.quotes.values()}
    read |= {by_offer[offer]: None for offer in reading.gone}
    _keep(read, now)
    for item in items:
        if item.pk in lately:
            read[item] = Quote.from_json(item.checked_quote) if item.checked_quote else None
    return Shown(
        quotes={item.pk: quote for item, quote in read.items() if quote},
        gone={item.pk for item, quote in read.items() if quote is None},
        unread=len(reading.unread),
        problem=reading.problem,
    )


def _keep(read: dict[OrderItem, Quote | None], now: datetime) -> None:
    """Keep what was just read with the items that still wait as they were. No event: nothing changed."""
    with transaction.atomic():
        for item, quote in read.items():
            told = quote.to_json() if quote else None
            waits = OrderItem.objects.filter(pk=item.pk, state=State.PENDING, version=item.version)
            if waits.update(checked_quote=told, checked_at=now):
                item.checked_quote, item.checked_at = told, now
