"""What the worker does for the list: keeping its tally short."""

from celery import shared_task

from numbersadmin import web
from numbersadmin.numbers import tally


@shared_task(name="numbersadmin.numbers.tasks.settle_tally")
def settle_tally() -> None:
    """Put rows of the tally together."""
    with web.acting("celery"):
        tally.settle()
