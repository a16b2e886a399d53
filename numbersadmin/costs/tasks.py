"""The mails about closing and reopening months. A lost message loses a mail at most."""

import logging
from functools import partial

from celery import current_app, shared_task
from django.db import transaction

from numbersadmin import web
from numbersadmin.accounts.services import send
from numbersadmin.costs import notices
from numbersadmin.costs.models import MonthClose, ReopenAsk

logger = logging.getLogger(__name__)


@shared_task(name="numbersadmin.costs.tasks.tell_closed", soft_time_limit=75, time_limit=90)
def tell_closed(*, row_id: int) -> None:
    """Mail that a month was closed."""
    with web.acting("celery"):
        send(notices.closed(MonthClose.objects.select_related("by").get(pk=row_id)))


@shared_task(name="numbersadmin.costs.tasks.tell_asked", soft_time_limit=75, time_limit=90)
def tell_asked(*, row_id: int) -> None:
    """Mail those who may confirm a reopening, or whoever asked once it is decided."""
    with web.acting("celery"):
        ask = ReopenAsk.objects.select_related("asked_by", "decided_by").get(pk=row_id)
        send(notices.decided(ask) if ask.decided_by else notices.asked(ask))


def after(row: MonthClose | ReopenAsk) -> None:
    """Have the worker write about a close or a request, after the commit."""
    task = tell_closed if isinstance(row, MonthClose) else tell_asked
    transaction.on_commit(partial(_send, task.name, row.pk), robust=True)


def _send(task: str, row_id: int) -> None:
    try:
        current_app.send_task(task, kwargs={"row_id": row_id}, retry=False)
    except Exception:  # any broker's own errors
        logger.warning("the broker could not be told %s of %s", task, row_id, exc_info=True)
