"""One run at a time: who holds it, for how long, and that a run which lost its turn writes nothing more."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from numbersadmin.sync.models import RunStatus, SyncRun

LEASE = timedelta(seconds=100)  # without a sign of life for so long, a run's worker is dead


class LostRun(Exception):
    """The run was given up by somebody else; nothing more may be written for it."""


def is_dead(run: SyncRun, now: datetime) -> bool:
    """Does a run only look as if it were running?"""
    return run.status == RunStatus.RUNNING and run.heartbeat_at <= now - LEASE


def beat(run: SyncRun, now: datetime, **progress: Any) -> None:
    """Show that the run is alive, and how far it is. Raises LostRun when it is no longer ours."""
    changes = {"heartbeat_at": now, **progress}
    if SyncRun.objects.filter(pk=run.pk, status=RunStatus.RUNNING).update(**changes) != 1:
        raise LostRun(f"{run} was given up because it showed no sign of life")
    for name, value in changes.items():
        setattr(run, name, value)


@contextmanager
def fenced(run: SyncRun, now: datetime) -> Iterator[None]:
    """A short transaction that commits only while the run is still ours: nobody can give it up meanwhile."""
    with transaction.atomic():
        beat(run, now)
        yield
