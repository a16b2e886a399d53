"""What an approver's page showed: the offers as last read for it are kept with the items it asks about."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db import transaction

from numbersadmin.orders.models import OrderItem, State
from numbersadmin.orders.quotes import Quote

FRESH = timedelta(seconds=60)  # what a page read so lately is not read again for the same page


def keep_shown(items: Iterable[OrderItem], quotes: Mapping[int, Quote], now: datetime) -> None:
    """Keep the offers just read, by item id, for those that still wait as they were. No event: nothing changed."""
    with transaction.atomic():
        for item in items:
            quote = quotes.get(item.pk)
            if quote is None:
                continue
            told = quote.to_json()
            waits = OrderItem.objects.filter(pk=item.pk, state=State.PENDING, version=item.version)
            if waits.update(checked_quote=told, checked_at=now):
                item.checked_quote, item.checked_at = told, now


def fresh_quotes(items: Iterable[OrderItem], now: datetime, within: timedelta = FRESH) -> dict[int, Quote]:
    """The offers by item that were read for a page a moment ago."""
    return {
        item.pk: Quote.from_json(item.checked_quote)
        for item in items
        if item.checked_quote and item.checked_at and now - item.checked_at < within
    }
