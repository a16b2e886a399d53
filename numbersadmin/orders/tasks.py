"""What the worker does for orders. The rows are the queue: a lost message loses nothing, the sweep finds it."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from celery import shared_task
from django.db import transaction
from django.utils import timezone

from numbersadmin import web
from numbersadmin.orders import mailing, notices, sweeping
from numbersadmin.orders.models import Order, State
from numbersadmin.provider.client import get_provider

logger = logging.getLogger(__name__)

LEAVE = timedelta(seconds=20)  # what was approved just now is being carried out already


@shared_task(name="numbersadmin.orders.tasks.execute_item")
def execute_item(*, item_id: int) -> None:
    """Carry out one approved item."""
    with web.acting("celery"):
        sweeping.carry_out(item_id=item_id, provider=get_provider(), clock=timezone.now)


@shared_task(name="numbersadmin.orders.tasks.sweep")
def sweep() -> None:
    """Pick up whatever was left."""
    with web.acting("celery"):
        sweeping.sweep(provider=get_provider(), clock=timezone.now, leave=LEAVE)


def enqueue_order(order: Order) -> None:
    """Tell the worker about what of an order is approved and due, as one that its rule let through."""
    due = order.items.filter(state=State.APPROVED, execute_after=None).order_by("id")
    enqueue(due.values_list("pk", flat=True))


def enqueue(item_ids: Iterable[int]) -> None:
    """Tell the worker about items to carry out, after the commit. A broker that is down only costs time."""
    for item_id in item_ids:
        try:
            execute_item.apply_async(kwargs={"item_id": item_id}, retry=False)
        except Exception:  # any broker's own errors; the sweep picks the items up
            logger.warning("the broker could not be told of item %s", item_id, exc_info=True)
            return


@shared_task(name="numbersadmin.orders.tasks.tell", soft_time_limit=75, time_limit=90)
def tell(*, what: str, order_id: int = 0, item_id: int = 0) -> None:
    """Mail what happened to whom it concerns (orders/notices.py)."""
    with web.acting("celery"):
        mailing.send(notices.mails_for(what, order_id=order_id, item_id=item_id, now=timezone.now()))


def tell_later(what: str, **ids: int) -> None:
    """Have the worker mail it after the commit; the ids are `order_id` or `item_id`. A lost mail loses nothing."""
    transaction.on_commit(partial(_tell, what, ids), robust=True)


def _tell(what: str, ids: dict[str, int]) -> None:
    try:
        tell.apply_async(kwargs={"what": what, **ids}, retry=False)
    except Exception:  # any broker's own errors
        logger.warning("the broker could not be told to mail '%s' of %s", what, ids, exc_info=True)
