"""What pages and other parts need to know about syncing: how old our data is, the runs, our own writes under way."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import Count, Q

from numbersadmin.formats import when
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.orders.models import Kind, Outcome, ProviderAttempt
from numbersadmin.provider.circuit import Health
from numbersadmin.provider.client import get_provider
from numbersadmin.sync.lease import is_dead
from numbersadmin.sync.models import RunStatus, SyncRun

STALE_AFTER = 2  # intervals
DEFAULT_INTERVAL = timedelta(minutes=15)  # by which age is judged while the periodic sync is off
RUNS_PER_PAGE = 25
RETRY_AFTER = 60


# How old our data is ----------------------------------------------------------------------------------------------


class Freshness(StrEnum):
    """Is there a complete reading that is young enough to rely on?"""

    NEVER = "never"
    FRESH = "fresh"
    STALE = "stale"


def interval() -> timedelta:
    """Time between two syncs of the schedule."""
    return timedelta(seconds=settings.SYNC_INTERVAL_SECONDS) or DEFAULT_INTERVAL


def is_scheduled() -> bool:
    """Does the schedule start syncs at all?"""
    return settings.SYNC_INTERVAL_SECONDS > 0


def last_complete() -> SyncRun | None:
    """The latest run that read the whole list."""
    return SyncRun.objects.filter(status=RunStatus.COMPLETE).order_by("-started_at").first()


def last_complete_start(*, before: datetime) -> datetime | None:
    """When the latest complete run began that had ended before a moment."""
    runs = SyncRun.objects.filter(status=RunStatus.COMPLETE, finished_at__lt=before)
    return runs.order_by("-started_at").values_list("started_at", flat=True).first()


def freshness(now: datetime) -> Freshness:
    """never, fresh, or stale: older than two intervals."""
    return freshness_of(last_complete(), now)


def freshness_of(run: SyncRun | None, now: datetime) -> Freshness:
    """The same of the last complete run, when that is at hand."""
    if run is None or run.finished_at is None:
        return Freshness.NEVER
    return Freshness.STALE if now - run.finished_at > interval() * STALE_AFTER else Freshness.FRESH


def is_fresh(now: datetime) -> bool:
    """Is no sync needed to begin with?"""
    return freshness(now) == Freshness.FRESH


# What we write ourselves -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OwnWrites:
    """What our own calls to the provider are about, or were moments ago: there the list may be behind."""

    keys: frozenset[str]
    numbers: frozenset[str]


def own_writes(since: datetime) -> OwnWrites:
    """Write calls without a known outcome, and those that ended after `since`."""
    live = Q(outcome__isnull=True) | Q(outcome=Outcome.UNKNOWN) | Q(finished_at__gt=since)
    rows = list(ProviderAttempt.objects.filter(live).values_list("number_key", "number"))
    return OwnWrites(frozenset(key for key, _ in rows), frozenset(number for _, number in rows))


def being_bought(now: datetime) -> frozenset[str]:
    """Numbers that a worker is buying at this moment; it records them itself."""
    under_way = ProviderAttempt.objects.filter(verb=Kind.PURCHASE, outcome__isnull=True, lease_until__gt=now)
    return frozenset(under_way.values_list("number", flat=True))


# Runs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in the list. `look` is a key of formats.LOOKS["run"]; figures are None when nothing was read."""

    run: SyncRun
    look: str
    took: timedelta | None

    @property
    def read(self) -> bool:
        """Did it read anything at all?"""
        return self.run.pages > 0

    @property
    def retry_after(self) -> int | None:
        """Seconds after which another try may help, when the provider had no time or no answer."""
        return RETRY_AFTER if self.run.error_kind in ("busy", "down") else None


def run_row(run: SyncRun, now: datetime) -> RunRow:
    """A run as the list shows it."""
    look = str(run.status)
    if is_dead(run, now):
        look = RunStatus.ABANDONED
    elif look == RunStatus.COMPLETE and (run.appeared or run.changed or run.missing or run.ended):
        look = "changed"
    return RunRow(run, look, run.finished_at - run.started_at if run.finished_at else None)


def run_page(number: str | None, now: datetime) -> Page[RunRow]:
    """A page of runs, newest first, as Django's Page; its `object_list` holds RunRow."""
    runs = SyncRun.objects.select_related("started_by").order_by("-id")
    page: Page[Any] = Paginator(runs, RUNS_PER_PAGE).get_page(number)
    page.object_list = [run_row(run, now) for run in page.object_list]
    return page


def run_json(run: SyncRun) -> dict[str, Any]:
    """A run for programs: times in ISO 8601, counts as numbers, null for what is not known."""
    counts = (
        "pages readings count_first count_last rows distinct_keys duplicates invalid"
        " appeared changed missing ended rescued prices_kept calls"
    ).split()
    return {
        "id": run.pk,
        "status": str(run.status),
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        **{name: getattr(run, name) for name in counts},
        "held": len(run.held),
        "error_kind": run.error_kind,
        "error": run.error,
    }


def running(now: datetime) -> SyncRun | None:
    """The run under way, unless its worker is dead."""
    run = SyncRun.objects.filter(status=RunStatus.RUNNING).select_related("started_by").first()
    return None if run is None or is_dead(run, now) else run


def last_finished(*, before: SyncRun | None = None) -> SyncRun | None:
    """The latest run that read something and ended by itself, of all or of those before a run."""
    runs = SyncRun.objects.filter(
        status__in=(RunStatus.COMPLETE, RunStatus.INCOMPLETE, RunStatus.GUARDED, RunStatus.FAILED)
    )
    if before is not None:
        runs = runs.filter(pk__lt=before.pk)
    return runs.order_by("-id").first()


def held_run() -> SyncRun | None:
    """The latest run, if it is held for a person."""
    run = last_finished()
    return run if run is not None and run.status == RunStatus.GUARDED else None


def prices_were_withheld(run: SyncRun) -> bool:
    """Did the run before this one already find most prices gone?"""
    before = last_finished(before=run)
    return before is not None and before.prices_kept > 0


# The page ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connection:
    """How the provider is, as all processes have seen it: tone of the dot, a word, and since when."""

    tone: str
    word: str
    hint: str


def connection(seen: Health) -> Connection:
    """The provider's health in words."""
    if seen.refused_since:
        return Connection("bad", "Sign-in refused", f"since {when(seen.refused_since)}")
    if seen.down_since:
        return Connection("bad", "No answer", f"since {when(seen.down_since)}")
    if seen.ok_at:
        return Connection("ok", "Working", f"Answered {when(seen.ok_at)}")
    return Connection("", "Not asked yet", "")


@dataclass(frozen=True, slots=True)
class State:
    """What the sync page shows above its runs."""

    running: SyncRun | None
    last: SyncRun | None
    freshness: Freshness
    next_at: datetime | None
    day_complete: int
    day_runs: int
    missing: int
    held: SyncRun | None
    latest: RunRow | None
    connection: Connection


def state(now: datetime) -> State:
    """Health, age and open differences, in a fixed number of queries."""
    day = SyncRun.objects.filter(started_at__gt=now - timedelta(hours=24)).exclude(status=RunStatus.RUNNING)
    counts = day.aggregate(runs=Count("pk"), complete=Count("pk", filter=Q(status=RunStatus.COMPLETE)))
    last, latest = last_complete(), SyncRun.objects.order_by("-id").first()
    scheduled = SyncRun.objects.filter(started_by=None).order_by("-id").first() if is_scheduled() else None
    next_at = scheduled.started_at + interval() if scheduled else None
    return State(
        running=running(now),
        last=last,
        freshness=freshness_of(last, now),
        next_at=next_at if next_at and next_at > now else None,
        day_complete=counts["complete"],
        day_runs=counts["runs"],
        missing=OwnedNumber.objects.filter(status=Status.MISSING).count(),
        held=held_run(),
        latest=run_row(latest, now) if latest else None,
        connection=connection(get_provider().health()),
    )
