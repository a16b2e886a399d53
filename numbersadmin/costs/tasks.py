"""What the worker does for costs: count large accounts ahead."""

from celery import shared_task
from django.utils import timezone

from numbersadmin import web
from numbersadmin.costs import counting, selectors


@shared_task(name="numbersadmin.costs.tasks.count")
def count() -> None:
    """Count what may have changed; nothing for a small account, and nothing while all is as it was."""
    with web.acting("celery"):
        now = timezone.now()
        counting.count(selectors.records(now), now)
