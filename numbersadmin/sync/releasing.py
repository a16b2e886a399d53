"""What a guarded run held: a person releases or rejects it; released numbers are still looked up one by one."""

from datetime import datetime
from itertools import islice

from django.db import transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.provider.client import Provider
from numbersadmin.sync import absence, selectors, services
from numbersadmin.sync.asking import Asking
from numbersadmin.sync.lease import beat
from numbersadmin.sync.models import HeldDecision, RunStatus, SyncRun
from numbersadmin.sync.opening import SETTLES
from numbersadmin.sync.scene import Scene, in_batches
from numbersadmin.sync.services import Clock
from numbersadmin.sync.words import unconfirmed

REASON = 300
VERBS = {HeldDecision.RELEASE: "sync.released", HeldDecision.REJECT: "sync.rejected"}


class CannotDecide(Exception):
    """The held numbers cannot be released or rejected (any more); the message says why."""


def decide(*, actor: User, run: SyncRun, decision: HeldDecision, reason: str, now: datetime) -> None:
    """Release or reject what a run holds, once. Raises CannotDecide.

    Releasing ends nothing by itself: the worker looks each number up (`carry_out`).
    """
    if not actor.can("sync.release"):
        raise CannotDecide("Only finance or an administrator releases held numbers.")
    reason = " ".join(reason.split())[:REASON]
    if not reason:
        raise CannotDecide("Say why. It goes on record.")
    fields = {"decision": decision, "decided_by": actor, "decided_at": now, "decision_reason": reason}
    undecided = SyncRun.objects.filter(pk=run.pk, status=RunStatus.GUARDED, decision="")
    with transaction.atomic():
        if newer := selectors.superseded_by(run):
            raise CannotDecide(f"Sync {newer.pk} is newer and read the whole list: it counts now.")
        if undecided.update(**fields) != 1:
            raise CannotDecide(_who_was_first(run))
        record(
            actor=actor,
            verb=VERBS[decision],
            subject=run,
            at=now,
            after={"numbers": len(run.held)},
            reason=reason,
        )
    for name, value in fields.items():
        setattr(run, name, value)


def _who_was_first(run: SyncRun) -> str:
    first = SyncRun.objects.select_related("decided_by").get(pk=run.pk)
    if first.decided_by is None:
        return "This sync holds nothing back."
    done = HeldDecision(first.decision).label.lower()
    return f"{first.decided_by.display_name} {done} it already. Nothing was changed."


def carry_out(*, held: SyncRun, provider: Provider, clock: Clock) -> SyncRun | None:
    """Look up what was released, as a run of its own; None when there is nothing (left) to look up.

    Raises AlreadyRunning: one at a time, as with every run.
    """
    try:
        run = _start(held, clock())
    except NothingToLookUp:
        return None
    with services.attended(run, clock):
        _carry_out(run, held, Asking(provider, run, clock), clock)
    return run


class NothingToLookUp(Exception):
    """Another worker has done it, or a newer list counts instead."""


def _start(held: SyncRun, now: datetime) -> SyncRun:
    """A run for the release. Only with the turn in hand is it certain that nobody else has done it meanwhile."""
    with transaction.atomic():
        run = services.start(actor=held.decided_by, now=now, released_run=held)
        if held.releases.filter(status=RunStatus.RELEASED).exists() or selectors.superseded_by(held):
            raise NothingToLookUp
    return run


def _carry_out(run: SyncRun, held: SyncRun, asking: Asking, clock: Clock) -> None:
    beat(run, clock(), readings=1)
    last = selectors.last_complete()
    missed = _still_open(held, clock())
    scene = Scene(
        run=run,
        seen=_canaries(held),
        since=last.started_at if last else None,
        read_at=clock(),  # and not when it was missed: that list may have been wrong, and the number gone since
        clock=clock,
    )
    reason = absence.settle(scene, missed, asking.look, asking.listed, {})
    run.calls = asking.calls
    run.error = unconfirmed(run.missing, reason) if reason else ""
    fields = {name: getattr(run, name) for name in services.FOUND}
    now = clock()
    with transaction.atomic():
        beat(run, now, status=RunStatus.RELEASED, finished_at=now, error=run.error, **fields)
        services.record_end(run, now)


def _still_open(held: SyncRun, now: datetime) -> list[OwnedNumber]:
    """The held numbers that are still ours by our records, without those that we are writing to ourselves."""
    writes = selectors.own_writes(now - SETTLES)
    found: list[OwnedNumber] = []
    for chunk in in_batches(held.held):
        rows = OwnedNumber.objects.open().filter(pk__in=chunk).order_by("id")
        found += [
            each for each in rows if each.number_key not in writes.keys and each.number not in writes.numbers
        ]
    return found


def _canaries(held: SyncRun) -> dict[str, None]:
    """Keys of a few numbers that should answer by themselves: not held, else (an empty list) of the held."""
    held_ids = set(held.held)
    known = OwnedNumber.objects.filter(status=Status.OWNED).order_by("-id").values_list("pk", "number_key")
    others = (key for pk, key in known.iterator(chunk_size=500) if pk not in held_ids)
    few = list(islice(others, absence.CANARIES)) or [key for _, key in known[: absence.CANARIES]]
    return dict.fromkeys(few)
