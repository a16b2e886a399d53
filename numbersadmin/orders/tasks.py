"""What the worker does for orders. The rows are the queue: a lost message loses nothing, the sweep finds it."""

import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from celery import Task, shared_task
from django.db import transaction
from django.utils import timezone

from numbersadmin import web
from numbersadmin.accounts.services import send
from numbersadmin.audit.models import AuditEvent
from numbersadmin.orders import notices, sweeping
from numbersadmin.orders.models import Order
from numbersadmin.provider.client import get_provider

logger = logging.getLogger(__name__)
_away_until = 0.0  # of this process

LEAVE = timedelta(seconds=20)  # what was approved just now is being carried out already
TELLS = {  # what is mailed after what was logged (orders/notices.py), and what it is about
    "order.submitted": ("submitted", "order_id"),
    "order.agreed": ("agreed", "order_id"),
    "order.approved": ("approved", "order_id"),
    "order.rejected": ("rejected", "order_id"),
    "order.withdrawn": ("finished", "item_id"),
    "order.paused": ("paused", "order_id"),
    "order.expired": ("expired", "item_id"),
    "item.price_changed": ("price_changed", "order_id"),
    "item.bought": ("finished", "item_id"),
    "item.cancelled": ("finished", "item_id"),
    "item.failed": ("finished", "item_id"),
    "item.unknown": ("unknown", "item_id"),
    "item.outcome_proposed": ("proposed", "item_id"),
}
ASK_AGAIN = 2.0  # seconds for which a broker that could not be reached is left alone
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
        tell_what_happened()


@shared_task(name="numbersadmin.orders.tasks.sweep")
def sweep() -> None:
    """Pick up whatever was left."""
    with web.acting("celery"):
        sweeping.sweep(provider=get_provider(), clock=timezone.now, leave=LEAVE)
        tell_what_happened()


def enqueue_order(order: Order) -> None:
    """Tell the worker of an order, after the commit; it finds what of it is approved and due."""
    enqueue([order.pk])


def enqueue(order_ids: Iterable[int]) -> None:
    """Tell the worker about orders to carry out. A broker that is down only costs time."""
    for order_id in order_ids:
        _nudge(execute_order, {"order_id": order_id})  # should it fail, the sweep picks the items up


def _nudge(task: Task, kwargs: dict[str, Any]) -> None:
    """Send a message, if the broker can be reached; a request that sends several waits for a frozen one once."""
    global _away_until
    if time.monotonic() < _away_until:
        return
    try:
        task.apply_async(kwargs=kwargs, retry=False)
    except Exception:  # any broker's own errors
        _away_until = time.monotonic() + ASK_AGAIN
        logger.warning("the broker could not be told %s of %s", task.name, kwargs, exc_info=True)


@shared_task(name="numbersadmin.orders.tasks.tell", soft_time_limit=75, time_limit=90)
def tell(*, what: str, order_id: int = 0, item_id: int = 0) -> None:
    """Mail what happened to whom it concerns (orders/notices.py)."""
    with web.acting("celery"):
        send(notices.mails_for(what, order_id=order_id, item_id=item_id, now=timezone.now()))


def tell_later(what: str, **ids: int) -> None:
    """Have the worker mail it after the commit; the ids are `order_id` or `item_id`. A lost mail loses nothing."""
    transaction.on_commit(partial(_tell, what, ids), robust=True)


def tell_what_happened() -> None:
    """Have everything mailed that this request or task has logged about orders: what is told is what was logged."""
    told: dict[tuple[str, str, int], None] = {}
    logged = AuditEvent.objects.filter(request_id=web.facts().request_id, verb__in=TELLS).order_by("id")
    for event in logged:
        what, about = TELLS[event.verb]
        subject = event.subject_id if about == "item_id" or event.related_id is None else event.related_id
        told[what, about, subject] = None
    for what, about, subject in told:
        tell_later(what, **{about: subject})


def _tell(what: str, ids: dict[str, int]) -> None:
    _nudge(tell, {"what": what, **ids})
