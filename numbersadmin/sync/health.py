"""How current our copy of the provider's list is, in one line that never says more than is known."""

from datetime import datetime

from numbersadmin.formats import ago, lasting
from numbersadmin.sync.models import HeldDecision, RunKind, RunStatus, SyncRun
from numbersadmin.sync.selectors import Freshness, State

SAID = {
    RunStatus.COMPLETE: "complete",
    RunStatus.INCOMPLETE: "incomplete",
    RunStatus.GUARDED: "held for a person",
    RunStatus.FAILED: "failed",
    RunStatus.ABANDONED: "given up",
}
DECIDED = {HeldDecision.RELEASE: "held and released", HeldDecision.REJECT: "held and rejected"}


def health(state: State, now: datetime) -> str:
    """`812 of 812 numbers, complete, 4 min ago`; when the last reading was not complete, the last that was, too."""
    run = SyncRun.objects.filter(kind=RunKind.FULL).exclude(status=RunStatus.RUNNING).order_by("-id").first()
    if run is None:
        return "Nothing has been read yet"
    said = _line(run, now)
    if run.status != RunStatus.COMPLETE:
        said += f". Last complete: {_line(state.last, now)}" if state.last else ". None has been complete yet"
    if state.freshness == Freshness.STALE and state.last and state.last.finished_at:
        said += f". No complete sync for {lasting(now - state.last.finished_at)}"
    return said


def _line(run: SyncRun, now: datetime) -> str:
    said = DECIDED.get(HeldDecision(run.decision)) if run.decision else SAID[RunStatus(run.status)]
    if not run.pages:
        return f"Nothing read, {said} {ago(run.finished_at, now)}"
    of = "" if run.count_last is None else f" of {run.count_last:,}"
    only = run.count_last if run.count_last is not None else run.distinct_keys
    return f"{run.distinct_keys:,}{of} number{'' if only == 1 else 's'}, {said}, {ago(run.finished_at, now)}"
