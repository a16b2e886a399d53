"""What the worker does for syncing: the schedule's run, a person's run, releases, giving up dead ones."""

import logging

from celery import shared_task
from django.utils import timezone

from numbersadmin import web
from numbersadmin.provider.client import get_provider
from numbersadmin.sync import releasing, selectors, services
from numbersadmin.sync.drift import close_moot
from numbersadmin.sync.models import SyncRun

logger = logging.getLogger(__name__)
LONGEST_SECONDS = 6 * 3600  # a long list at one page a second; a run's lease and not this finds dead workers


@shared_task(
    name="numbersadmin.sync.tasks.sync_periodically",
    soft_time_limit=LONGEST_SECONDS,
    time_limit=LONGEST_SECONDS + 60,
)
def sync_periodically() -> None:
    """One run of the schedule; nothing when one is under way."""
    with web.acting("celery"):
        try:
            services.run_sync(provider=get_provider(), actor=None, clock=timezone.now)
        except services.AlreadyRunning as running:
            logger.info("%s", running)


@shared_task(
    name="numbersadmin.sync.tasks.sync_now",
    soft_time_limit=LONGEST_SECONDS,
    time_limit=LONGEST_SECONDS + 60,
)
def sync_now(*, run_id: int) -> None:
    """Carry out a run that a person has started; a second delivery of the message does nothing."""
    with web.acting("celery"):
        run = SyncRun.objects.select_related("started_by").get(pk=run_id)
        services.carry_out(run=run, provider=get_provider(), clock=timezone.now)


@shared_task(name="numbersadmin.sync.tasks.abandon_dead")
def abandon_dead() -> None:
    """Give up the run of a worker that died, see to releases that were left, close what is no question any more."""
    with web.acting("celery"):
        services.abandon_dead(now=timezone.now())
        if selectors.releases_to_carry_out():
            enqueue_release()
        close_moot(now=timezone.now())


@shared_task(
    name="numbersadmin.sync.tasks.carry_out_releases",
    soft_time_limit=LONGEST_SECONDS,
    time_limit=LONGEST_SECONDS + 60,
)
def carry_out_releases() -> None:
    """Look up what a person released; while another run is under way it waits for the next sweep."""
    with web.acting("celery"):
        for held in selectors.releases_to_carry_out():
            try:
                releasing.carry_out(held=held, provider=get_provider(), clock=timezone.now)
            except services.AlreadyRunning as running:
                logger.info("%s", running)


def enqueue_release() -> None:
    """Tell the worker that something was released; when the broker cannot be reached the sweep does."""
    try:
        carry_out_releases.apply_async(retry=False)
    except Exception:  # any broker's own errors
        logger.warning("the broker could not be told of a release", exc_info=True)


def enqueue(run: SyncRun) -> bool:
    """Tell the worker to carry out a run; False when the broker cannot be reached."""
    try:
        sync_now.apply_async(kwargs={"run_id": run.pk}, retry=False)
    except Exception:  # any broker's own errors
        logger.warning("the broker could not be told of %s", run, exc_info=True)
        return False
    return True
