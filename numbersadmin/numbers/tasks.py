"""What the worker does for owned numbers: long bulk changes, and keeping the tally of the list short."""

import logging

from celery import shared_task
from django.utils import timezone

from numbersadmin import web
from numbersadmin.numbers import bulk_applying, tally
from numbersadmin.numbers.models import BulkChange

logger = logging.getLogger(__name__)


@shared_task(name="numbersadmin.numbers.tasks.change_numbers")
def change_numbers(*, change_id: int) -> None:
    """Carry out a bulk change that was confirmed."""
    with web.acting("celery"):
        bulk_applying.carry_out(change_id=change_id, clock=timezone.now)


@shared_task(name="numbersadmin.numbers.tasks.sweep_changes")
def sweep_changes() -> None:
    """Go on with bulk changes that were left, as after a kill."""
    with web.acting("celery"):
        bulk_applying.sweep(clock=timezone.now)


def enqueue(change: BulkChange) -> None:
    """Tell the worker of a bulk change, after the commit. A broker that is down only costs time."""
    try:
        change_numbers.apply_async(kwargs={"change_id": change.pk}, retry=False)
    except Exception:  # any broker's own errors
        logger.warning("the broker could not be told of %s", change, exc_info=True)


@shared_task(name="numbersadmin.numbers.tasks.settle_tally")
def settle_tally() -> None:
    """Put rows of the tally together."""
    with web.acting("celery"):
        tally.settle()
