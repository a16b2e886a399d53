"""What the worker does after a month was closed: the audit log is sealed, and finance gets its pack."""

import logging
from functools import partial

from celery import current_app, shared_task
from django.db import transaction
from django.utils import timezone

from numbersadmin import web
from numbersadmin.accounts.services import send
from numbersadmin.audit.services import NotSettled, seal
from numbersadmin.costs import pack
from numbersadmin.costs.months import Month

logger = logging.getLogger(__name__)


@shared_task(name="numbersadmin.costs.tasks.follow_close")
def follow_close(*, month: str) -> None:
    """Seal the log with the close in it, and write to finance. Without the message the daily seal has it."""
    with web.acting("celery"):
        now = timezone.now()
        try:
            seal(now, "close", note=month)
        except NotSettled as problem:
            logger.warning("the audit log is not sealed with the close of %s yet: %s", month, problem)
        send(pack.mails_for(Month.parse(month), now))


def after_close(month: Month) -> None:
    """Have the worker follow a close up once it is committed. A broker that is down costs the mail, not the close."""
    transaction.on_commit(partial(_send, str(month)), robust=True)


def _send(month: str) -> None:
    try:
        current_app.send_task(follow_close.name, kwargs={"month": month}, retry=False)
    except Exception:  # any broker's own errors
        logger.warning("the broker could not be told that %s was closed", month, exc_info=True)
