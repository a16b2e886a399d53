"""What the worker does for costs: it counts large accounts ahead, and follows up closes and requests to reopen.

A lost message loses a mail at most.
"""

import logging
from functools import partial

from celery import current_app, shared_task
from django.db import transaction
from django.utils import timezone

from numbersadmin import web
from numbersadmin.accounts.services import send
from numbersadmin.audit.services import NotSettled, seal
from numbersadmin.costs import counting, notices, pack, selectors
from numbersadmin.costs.models import MonthClose, ReopenAsk

logger = logging.getLogger(__name__)


@shared_task(name="numbersadmin.costs.tasks.count")
def count() -> None:
    """Count what may have changed; nothing for a small account, and nothing while all is as it was."""
    with web.acting("celery"):
        now = timezone.now()
        counting.count(selectors.records(now), now)


@shared_task(name="numbersadmin.costs.tasks.follow_close")
def follow_close(*, row_id: int) -> None:
    """Count the month as it was closed, seal the log with the close in it, and mail the pack.

    Without the message the next sweep counts, and the daily seal has it.
    """
    with web.acting("celery"):
        now, closed = timezone.now(), MonthClose.objects.get(pk=row_id)
        counting.count(selectors.records(now), now)
        try:
            seal(now, "close", note=closed.month)
        except NotSettled as problem:
            logger.warning("the audit log is not sealed with the close of %s yet: %s", closed.month, problem)
        send(pack.mails_for(closed, now))


@shared_task(name="numbersadmin.costs.tasks.tell_asked", soft_time_limit=75, time_limit=90)
def tell_asked(*, row_id: int) -> None:
    """Mail those who may confirm a reopening, or whoever asked once it is decided."""
    with web.acting("celery"):
        ask = ReopenAsk.objects.select_related("asked_by", "decided_by").get(pk=row_id)
        send(notices.decided(ask) if ask.decided_by else notices.asked(ask))


def after(row: MonthClose | ReopenAsk) -> None:
    """Have the worker follow up a close or a request, after the commit."""
    task = follow_close if isinstance(row, MonthClose) else tell_asked
    transaction.on_commit(partial(_send, task.name, row.pk), robust=True)


def _send(task: str, row_id: int) -> None:
    try:
        current_app.send_task(task, kwargs={"row_id": row_id}, retry=False)
    except Exception:  # any broker's own errors
        logger.warning("the broker could not be told %s of %s", task, row_id, exc_info=True)
