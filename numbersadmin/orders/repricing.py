"""Taking over a price that moved while an order was waiting, so that it can be decided on as it is now."""

from datetime import datetime

from django.db import transaction

from numbersadmin.accounts.models import User
from numbersadmin.orders.deciding import APPROVAL_WAIT, WAIT_EACH, check_buyable
from numbersadmin.orders.errors import NotAllowed, OutOfDate, PriceUnread
from numbersadmin.orders.machine import moved
from numbersadmin.orders.models import Order, State
from numbersadmin.orders.recording import is_purchase, price_changed
from numbersadmin.orders.ruling import next_round
from numbersadmin.orders.showing import look
from numbersadmin.orders.submitting import MOST_ITEMS
from numbersadmin.provider.client import Provider


def reprice(*, provider: Provider, actor: User, order: Order, round: int, now: datetime) -> int:  # noqa: A002
    """Put the provider's present offers up for decision; returns how many items moved.

    A new round begins when any did, so decisions on the old price no longer count. Approves nothing.
    """
    if not (actor.can("orders.approve") or (actor.pk == order.requester_id and actor.can("orders.submit"))):
        raise NotAllowed("Only an approver, or who asked for it, can take over the new price.")
    order.refresh_from_db()
    items = list(order.items.select_related("order__requester").order_by("id"))
    waiting = [item for item in items if item.state == State.PENDING and is_purchase(item)]
    if not waiting:
        raise moved(items[0])
    if order.round != round:
        raise OutOfDate("The order has changed since you opened it. Look at it as it is now, then decide.")
    wait = max(APPROVAL_WAIT, WAIT_EACH * min(len(waiting), MOST_ITEMS))
    shown = look(provider, order, waiting, now=now, wait=wait)
    if shown.problem:
        raise PriceUnread("The price could not be checked, so nothing was changed. Try again in a moment.")
    fresh = [(item, shown.quotes[item.pk]) for item in waiting if item.pk in shown.quotes]
    other = [(item, quote) for item, quote in fresh if item.fingerprint != quote.fingerprint]
    for _, quote in other:
        check_buyable(quote)
    with transaction.atomic():
        for item, quote in other:
            price_changed(item, quote, actor=actor, now=now)
        if other:
            next_round(order, now)
    return len(other)
