"""Orders of many numbers: a list of them for sale, the first so many as one order, and carrying it out."""

from datetime import timedelta
from typing import Any

from numbersadmin.orders import services, sweeping
from numbersadmin.orders.models import Order
from numbersadmin.orders.quotes import Quote
from numbersadmin.orders.selectors import shown_fingerprint
from tests.orders.desk import RU, Desk

MINUTE = timedelta(seconds=60)


def shelf(sandbox: Any, count: int) -> list[str]:
    """So many Swedish numbers for sale that begin in many ways, as the list has them."""
    found = sorted(f"467{index * 7919 % 1000:03}{index:05}" for index in range(count))
    rows = [{**RU, "country": "SE", "number": one, "numberKey": f"K{one}"} for one in found]
    sandbox.stock(available=rows)
    return found


def gathered(desk: Desk) -> list[Quote]:
    """What a search for Swedish numbers finds."""
    quotes: list[Quote] = []
    while page := desk.provider.list_available(country="SE", page=len(quotes) // 100).numbers:
        quotes += [Quote.of_provider(one, desk.clock()) for one in page]
        if len(page) < 100:
            break
    return quotes


def bulk(desk: Desk, **given: Any) -> Order:
    """An order of all that is found."""
    quotes = gathered(desk)
    facts = {
        "actor": desk.cast.manager,
        "owner": desk.cast.manager,
        "cost_centre": "",
        "reason": "New shops",
        "sender_id": False,
        "form_token": desk.form(),
        "now": desk.clock(),
        "search": {"country": "SE", "capabilities": [], "number": "", "rows": len(quotes)},
    }
    return services.submit_purchase(quotes=quotes, **facts | given)


def states(order: Order) -> dict[str, int]:
    """How many items stand how."""
    found = list(order.items.values_list("state", flat=True))
    return {state: found.count(state) for state in sorted(set(found))}


def seen(order: Order) -> str:
    """The fingerprint that the approver's page carries."""
    items = list(order.items.filter(state="pending").order_by("id"))
    return shown_fingerprint(order, items, order.created_at)


def carry_out(desk: Desk, order: Order, longest: timedelta = MINUTE) -> bool:
    """What the worker does when it is told of an order."""
    return sweeping.carry_out_order(
        order_id=order.pk, provider=desk.provider, clock=desk.clock, longest=longest
    )
