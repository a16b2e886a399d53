"""What the worker does for orders. The rows are the queue: a lost message loses nothing, the sweep finds it."""

import logging
from collections.abc import Iterable
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from numbersadmin import web
from numbersadmin.orders import sweeping
from numbersadmin.orders.models import Order
from numbersadmin.provider.client import get_provider

logger = logging.getLogger(__name__)

LEAVE = timedelta(seconds=20)  # what was approved just now is being carried out already
AT_A_TIME = timedelta(seconds=60)  # a long order makes way for others after that


@shared_task(name="numbersadmin.orders.tasks.execute_order")
def execute_order(*, order_id: int) -> None:
    """Carry out what of an order is approved and due, one after the other; a long one goes on in a next turn."""
    with web.acting("celery"):
        provider = get_provider()
        if sweeping.carry_out_order(
            order_id=order_id, provider=provider, clock=timezone.now, longest=AT_A_TIME
        ):
            enqueue([order_id])


@shared_task(name="numbersadmin.orders.tasks.sweep")
def sweep() -> None:
    """Pick up whatever was left."""
    with web.acting("celery"):
        sweeping.sweep(provider=get_provider(), clock=timezone.now, leave=LEAVE)


def enqueue_order(order: Order) -> None:
    """Tell the worker of an order, after the commit; it finds what of it is approved and due."""
    enqueue([order.pk])


def enqueue(order_ids: Iterable[int]) -> None:
    """Tell the worker about orders to carry out. A broker that is down only costs time."""
    for order_id in order_ids:
        try:
            execute_order.apply_async(kwargs={"order_id": order_id}, retry=False)
        except Exception:  # any broker's own errors; the sweep picks the items up
            logger.warning("the broker could not be told of order %s", order_id, exc_info=True)
            return
