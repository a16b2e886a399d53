"""Sync runs: start one, carry it out, finish it, give up one whose worker died. One at a time, by constraint."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.provider.client import Provider
from numbersadmin.sync import absence, calibration, selectors
from numbersadmin.sync.ahead import reading_ahead
from numbersadmin.sync.asking import Asking
from numbersadmin.sync.billed import close_billed, tell_billed
from numbersadmin.sync.deciding import ACCEPTABLE, accept
from numbersadmin.sync.lease import LEASE, LostRun, beat
from numbersadmin.sync.models import RunKind, RunStatus, SyncRun
from numbersadmin.sync.presence import Early, believe
from numbersadmin.sync.reader import Listed, Readings, read_list
from numbersadmin.sync.recorded import Recorded, first_page_size, recorded
from numbersadmin.sync.scene import Scene
from numbersadmin.sync.words import words_for

Clock = Callable[[], datetime]
OnPage = Callable[[int], None]
PROGRESS_EVERY = timedelta(seconds=1)
__all__ = ["ACCEPTABLE", "accept", "close_billed", "tell_billed"]  # of other files, open to other apps
READ = "pages readings count_first count_last rows distinct_keys duplicates invalid".split()
FOUND = "appeared changed missing ended rescued prices_kept calls".split()
VERBS = {RunStatus.GUARDED: "sync.guarded", RunStatus.ABANDONED: "sync.abandoned"}


class AlreadyRunning(Exception):
    """A run is under way; `run` is that one and the text is for people."""

    def __init__(self, run: SyncRun) -> None:
        super().__init__(f"A sync has been running since {run.started_at:%d %b %Y, %H:%M:%S} UTC.")
        self.run = run


def run_sync(
    *, provider: Provider, actor: User | None, clock: Clock, on_page: OnPage = lambda page: None
) -> SyncRun:
    """One whole run, now, in this process. Raises AlreadyRunning.

    `actor` is the person who asked for it, None for the schedule; `on_page` hears how many pages have been read.
    """
    run = start(actor=actor, now=clock())
    return carry_out(run=run, provider=provider, clock=clock, on_page=on_page)


def start(*, actor: User | None, now: datetime, released_run: SyncRun | None = None) -> SyncRun:
    """A new run that waits to be carried out. Raises AlreadyRunning; a run whose worker died is given up first.

    With `released_run` it is no reading but the release of what that run held.
    """
    kind = RunKind.GUARD_RELEASE if released_run else RunKind.FULL
    abandon_dead(now=now)
    try:
        with transaction.atomic():
            return SyncRun.objects.create(
                kind=kind, released_run=released_run, started_by=actor, started_at=now, heartbeat_at=now
            )
    except IntegrityError:
        running = SyncRun.objects.filter(status=RunStatus.RUNNING).first()
        if running is None:  # it ended between our two looks
            return start(actor=actor, now=now, released_run=released_run)
        raise AlreadyRunning(running) from None


def abandon_dead(*, now: datetime) -> int:
    """Give up the run whose worker has shown no sign of life for the length of a lease; returns how many."""
    dead = SyncRun.objects.filter(status=RunStatus.RUNNING, heartbeat_at__lte=now - LEASE)
    return sum(
        give_up(
            run=run,
            status=RunStatus.ABANDONED,
            now=now,
            error="The worker ended before the run did." if run.readings else "No worker took it up.",
        )
        for run in dead
    )


def give_up(*, run: SyncRun, status: RunStatus, now: datetime, error: str) -> bool:
    """End a run that nobody carries on with; False when it had ended already, or showed a sign of life."""
    as_seen = SyncRun.objects.filter(pk=run.pk, status=RunStatus.RUNNING, heartbeat_at=run.heartbeat_at)
    with transaction.atomic():
        if not as_seen.update(status=status, finished_at=now, error=error):
            return False
        run.status, run.finished_at, run.error = status, now, error
        record_end(run, now)
    return True


def carry_out(
    *, run: SyncRun, provider: Provider, clock: Clock, on_page: OnPage = lambda page: None
) -> SyncRun:
    """Read, compare and apply; returns the finished run, or the run as it is when somebody else carries it out."""
    claimed = SyncRun.objects.filter(pk=run.pk, status=RunStatus.RUNNING, readings=0)
    if not claimed.update(readings=1, heartbeat_at=clock()):
        run.refresh_from_db()
        return run
    run.refresh_from_db()
    with attended(run, clock):
        _carry_out(run, Asking(provider, run, clock), clock, on_page)
    return run


@contextmanager
def attended(run: SyncRun, clock: Clock) -> Iterator[None]:
    """Give the run up when what is done inside fails; when somebody else gave it up, end quietly."""
    try:
        yield
    except LostRun:
        run.refresh_from_db()
    except BaseException as error:
        run.refresh_from_db()
        stopped = f"The run was interrupted ({type(error).__name__})."
        ours = RunStatus.FAILED if isinstance(error, Exception) else RunStatus.ABANDONED
        give_up(run=run, status=ours, now=clock(), error=stopped)
        raise


def _carry_out(run: SyncRun, asking: Asking, clock: Clock, on_page: OnPage) -> None:
    last, known = selectors.last_complete(), recorded()
    scene = Scene(
        run=run,
        seen=(),
        since=last.started_at if last else None,
        read_at=clock(),
        clock=clock,
        newest=known.newest,
    )
    readings = _read(scene, asking, known, on_page)
    scene.seen, scene.read_at = Listed([readings.last], known), clock()
    believe(scene, readings.sights(), Listed(readings.all, known))
    status = _status(readings)
    reason = ""
    if readings.complete:
        missed = absence.absent(scene, known.unseen(readings.last))
        reason = absence.conclude(scene, missed, known.owned, asking.look, asking.listed)
        if run.held:
            status = RunStatus.GUARDED
        run.calibration = calibration.sample(asking.provider, now=clock())
        asking.calls += 1
    run.calls = asking.calls
    run.error_kind, run.error = words_for(status, readings, reason, run)
    _finish(run, status, clock(), last)


def _read(scene: Scene, asking: Asking, known: Recorded, on_page: OnPage) -> Readings:
    """Read the list, with a sign of life and of progress at most once a second.

    Numbers that nothing is known of are recorded while the reading goes on, so that a first one of any length
    needs little memory.
    """
    run, early = scene.run, Early(scene, known)
    size = first_page_size(run.started_at)
    run.page_asked = size.limit

    def tell(readings: Readings) -> None:
        now = scene.clock()
        _count(run, readings)
        if readings.pages == 1 or now - run.heartbeat_at >= PROGRESS_EVERY:
            beat(run, now, **{name: getattr(run, name) for name in READ}, calls=asking.calls)
        early.look(readings.last)
        on_page(readings.pages)

    with reading_ahead(asking, settings.SYNC_THREADS) as pages:
        readings = read_list(pages, known, size, tell)
    run.page_size = readings.last.limit
    _count(run, readings)
    return readings


def _count(run: SyncRun, readings: Readings) -> None:
    last = readings.last
    run.pages, run.readings = readings.pages, len(readings.all)
    run.count_first, run.count_last = (last.counts[0], last.counts[-1]) if last.counts else (None, None)
    run.rows, run.distinct_keys = last.rows, last.distinct
    run.duplicates, run.invalid = last.duplicates, last.invalid + last.keyless


def _status(readings: Readings) -> RunStatus:
    error = readings.last.error
    if readings.complete:
        return RunStatus.COMPLETE
    if error is not None and (error.kind == "credentials" or not readings.pages):
        return RunStatus.FAILED
    return RunStatus.INCOMPLETE


def _finish(run: SyncRun, status: RunStatus, now: datetime, last: SyncRun | None) -> None:
    names = (*READ, *FOUND, "page_asked", "page_size", "calibration", "held", "error_kind", "error")
    fields: dict[str, Any] = {name: getattr(run, name) for name in names}
    with transaction.atomic():
        beat(run, now, status=status, finished_at=now, **fields)
        record_end(run, now)
        if status == RunStatus.COMPLETE:
            _record_gap(run, last, now)


def record_end(run: SyncRun, now: datetime) -> None:
    """The event of a run's end, with everything that it counted."""
    counts = {name: getattr(run, name) for name in (*READ, *FOUND) if getattr(run, name)}
    record(
        actor=run.started_by,
        verb=VERBS.get(RunStatus(run.status), "sync.finished"),
        subject=run,
        at=now,
        after={"status": run.status, **counts, **({"error": run.error} if run.error else {})},
    )


def _record_gap(run: SyncRun, last: SyncRun | None, now: datetime) -> None:
    """What is first seen or missed after a gap has the whole gap as its interval; say that there was one."""
    longest = selectors.interval() * selectors.STALE_AFTER
    if last is not None and settings.SYNC_INTERVAL_SECONDS and run.started_at - last.started_at > longest:
        record(
            actor=None,
            verb="sync.gap",
            subject=run,
            at=now,
            before={"last_complete": last.started_at},
            after={"complete": run.started_at},
        )
