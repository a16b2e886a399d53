"""What the worker does for the audit log: a seal a day, and the proof of all seals after it."""

import logging
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from numbersadmin import web
from numbersadmin.audit import seal
from numbersadmin.audit.models import Seal, SealKind

logger = logging.getLogger(__name__)
A_DAY = timedelta(hours=23)  # it is asked for each hour


@shared_task(name="numbersadmin.audit.tasks.seal_daily")
def seal_daily() -> None:
    """Seal what was logged since the last daily seal, once a day; what does not settle is tried in an hour."""
    with web.acting("celery"):
        now = timezone.now()
        if Seal.objects.filter(kind=SealKind.DAILY, at__gt=now - A_DAY).exists():
            return
        try:
            seal.seal(now)
        except seal.NotSettled as error:
            logger.warning("the audit log is not sealed yet: %s", error)
            return
        for problem in seal.verify_and_tell(now).problems:
            logger.error("the audit log was changed: %s", problem)
