"""What pages and other parts need to know about syncing: how old our data is, the runs, our own writes under way."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import Count, Q

from numbersadmin.accounts.models import User
from numbersadmin.formats import when
from numbersadmin.numbers.models import EndBasis, OwnedNumber, Status
from numbersadmin.orders.models import Kind, Outcome, ProviderAttempt
from numbersadmin.provider.circuit import Health
from numbersadmin.provider.client import get_provider
from numbersadmin.sync.lease import is_dead
from numbersadmin.sync.models import (
    Drift,
    DriftKind,
    DriftQuerySet,
    DriftState,
    HeldDecision,
    RunKind,
    RunStatus,
    SyncRun,
)

STALE_AFTER = 2  # intervals
DEFAULT_INTERVAL = timedelta(minutes=15)  # by which age is judged while the periodic sync is off
RUNS_PER_PAGE = 25
RETRY_AFTER = 60
REJECTIONS = 20  # held runs that are looked through for one that was rejected
MOST_COUNTED = 1000  # differences for the menu; more are "999+"
TRIES = 3  # of a release whose worker died


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
    elif look in (RunStatus.COMPLETE, RunStatus.RELEASED):
        look = _look_of_whole(run)
    return RunRow(run, look, run.finished_at - run.started_at if run.finished_at else None)


def _look_of_whole(run: SyncRun) -> str:
    found = run.appeared or run.changed or run.missing or run.ended
    return "changed" if found else str(RunStatus.COMPLETE)


def run_page(number: str | None, now: datetime) -> Page[RunRow]:
    """A page of runs, newest first, as Django's Page; its `object_list` holds RunRow."""
    runs = SyncRun.objects.select_related("started_by", "released_run").order_by("-id")
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
        "kind": str(run.kind),
        "status": str(run.status),
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        **{name: getattr(run, name) for name in counts},
        "held": len(run.held),
        "decision": run.decision or None,
        "releases": run.released_run_id,
        "error_kind": run.error_kind,
        "error": run.error,
    }


def running(now: datetime) -> SyncRun | None:
    """The run under way, unless its worker is dead."""
    run = SyncRun.objects.filter(status=RunStatus.RUNNING).select_related("started_by").first()
    return None if run is None or is_dead(run, now) else run


def last_finished(*, before: SyncRun | None = None) -> SyncRun | None:
    """The latest reading that got something and ended by itself, of all or of those before a run."""
    runs = SyncRun.objects.filter(
        kind=RunKind.FULL,
        status__in=(RunStatus.COMPLETE, RunStatus.INCOMPLETE, RunStatus.GUARDED, RunStatus.FAILED),
    )
    if before is not None:
        runs = runs.filter(pk__lt=before.pk)
    return runs.order_by("-id").first()


def prices_were_withheld(run: SyncRun) -> bool:
    """Did the run before this one already find most prices gone?"""
    before = last_finished(before=run)
    return before is not None and before.prices_kept > 0


# What a run holds for a person ------------------------------------------------------------------------------------

WHOLE = (RunStatus.COMPLETE, RunStatus.GUARDED)


def held_run() -> SyncRun | None:
    """The last run that read the whole list, if it is held for a person."""
    runs = SyncRun.objects.filter(status__in=WHOLE).select_related("decided_by")
    run = runs.order_by("-id").first()
    return run if run is not None and run.status == RunStatus.GUARDED else None


def superseded_by(run: SyncRun) -> SyncRun | None:
    """The run that read the whole list after this one: what this one held says nothing any more."""
    return SyncRun.objects.filter(status__in=WHOLE, pk__gt=run.pk).order_by("-id").first()


def rejected_before(run: SyncRun) -> SyncRun | None:
    """An earlier run, since the last complete one, of which all that is held now was held and rejected."""
    last = last_complete()
    runs = SyncRun.objects.filter(status=RunStatus.GUARDED, decision=HeldDecision.REJECT, pk__lt=run.pk)
    if last is not None:
        runs = runs.filter(pk__gt=last.pk)
    held = set(run.held)
    for earlier in runs.select_related("decided_by").order_by("-id")[:REJECTIONS]:
        if held <= set(earlier.held):
            return earlier
    return None


def held_waits() -> SyncRun | None:
    """The held run that somebody has to decide, unless the same has been rejected."""
    run = held_run()
    return run if run is not None and not run.decision and rejected_before(run) is None else None


def releases_to_carry_out() -> list[SyncRun]:
    """Released runs of which nothing newer is known and whose numbers have not been looked up, or not to the end."""
    run = held_run()
    if run is None or run.decision != HeldDecision.RELEASE:
        return []
    tries = list(run.releases.values_list("status", flat=True))
    return [] if RunStatus.RELEASED in tries or len(tries) >= TRIES else [run]


# Differences ------------------------------------------------------------------------------------------------------


MOOT = (  # the cause of a difference has gone away otherwise: an owner was given, or the number ended
    (Q(kind=DriftKind.APPEARED) & Q(owned_number__owner__isnull=False))
    | (Q(kind=DriftKind.MISSING) & ~Q(owned_number__status=Status.MISSING))
    | (Q(kind=DriftKind.GONE) & ~Q(owned_number__end_basis=EndBasis.DISAPPEARED))
    | (~Q(kind__in=(DriftKind.MISSING, DriftKind.GONE)) & Q(owned_number__status=Status.ENDED))
)


def outstanding() -> DriftQuerySet:
    """Undecided differences whose cause still stands; the others are no question any more, and soon closed."""
    return Drift.objects.undecided().filter(~MOOT)


def open_count() -> int:
    """How many differences nobody has looked at yet."""
    return outstanding().filter(state=DriftState.OPEN).order_by().count()


def drifts_waiting_for(person: User) -> str:
    """How much of syncing waits for this person, for the menu; empty when nothing does."""
    count = 0
    if person.can("sync.decide"):
        count += outstanding().filter(state=DriftState.OPEN).order_by()[:MOST_COUNTED].count()
    if person.can("sync.release"):
        count += held_waits() is not None
    return "999+" if count >= MOST_COUNTED else str(count or "")


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
    differences: int
    held: SyncRun | None
    latest: RunRow | None
    connection: Connection


def state(now: datetime) -> State:
    """Health, age and open differences, in a fixed number of queries."""
    day = SyncRun.objects.filter(kind=RunKind.FULL, started_at__gt=now - timedelta(hours=24)).exclude(
        status=RunStatus.RUNNING
    )
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
        differences=open_count(),
        held=held_run(),
        latest=run_row(latest, now) if latest else None,
        connection=connection(get_provider().health()),
    )
