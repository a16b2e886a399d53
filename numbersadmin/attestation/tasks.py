"""What the worker does for attestations. The rows are the queue: a lost message loses a mail at most."""

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from celery import current_app, shared_task
from django.db import transaction
from django.utils import timezone

from numbersadmin import web
from numbersadmin.accounts.services import send
from numbersadmin.attestation import notices, services
from numbersadmin.attestation.models import Line, Sheet
from numbersadmin.orders.models import Mode, Order

logger = logging.getLogger(__name__)
TELL_ORDER = "numbersadmin.orders.tasks.tell"  # mails about an order are made where orders are


@shared_task(name="numbersadmin.attestation.tasks.tend")
def tend() -> None:
    """Open the round that is due, prepare it, pass on what is late, and remind."""
    with web.acting("celery"):
        now = timezone.now()
        late = services.tend(now=now)
        for mails in notices.reminders(now):
            send(mails)
        send(notices.overdue(late))


@shared_task(name="numbersadmin.attestation.tasks.tell_handed", soft_time_limit=75, time_limit=90)
def tell_handed(*, sheet_id: int) -> None:
    """Mail those to whom numbers of a sheet were handed over."""
    with web.acting("celery"):
        send(notices.handed(Sheet.objects.select_related("answered_by").get(pk=sheet_id)))


@shared_task(name="numbersadmin.attestation.tasks.tell_returned", soft_time_limit=75, time_limit=90)
def tell_returned(*, line_ids: list[int]) -> None:
    """Mail those whose numbers were not taken over."""
    with web.acting("celery"):
        lines = Line.objects.filter(pk__in=line_ids).select_related("owned_number", "sheet__owner")
        send(notices.returned(list(lines.order_by("pk"))))


def after_opening() -> None:
    """Have the worker prepare a round that was just opened; without the message the schedule does."""
    _later(tend.name)


def after_answer(sheet: Sheet, orders: Sequence[Order]) -> None:
    """Have the worker write to whom numbers are handed over, and to who decides on the orders."""
    _later(tell_handed.name, sheet_id=sheet.pk)
    for order in orders:
        what = "approved" if order.mode == Mode.AUTO else "submitted"
        _later(TELL_ORDER, what=what, order_id=order.pk)


def after_refusal(lines: Iterable[Line]) -> None:
    """Have the worker write to those whose numbers were not taken over."""
    _later(tell_returned.name, line_ids=[line.pk for line in lines])


def _later(task: str, **kwargs: Any) -> None:
    """Send a message after the commit. A broker that is down costs a mail, never the act."""
    transaction.on_commit(partial(_send, task, kwargs), robust=True)


def _send(task: str, kwargs: dict[str, Any]) -> None:
    try:
        current_app.send_task(task, kwargs=kwargs, retry=False)
    except Exception:  # any broker's own errors
        logger.warning("the broker could not be told %s of %s", task, kwargs, exc_info=True)
