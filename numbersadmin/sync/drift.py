"""Differences that a person should hear of, opened and closed in the transaction that found them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db.models import F

from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.sync.lease import fenced
from numbersadmin.sync.models import Decision, Drift, DriftKind, DriftState
from numbersadmin.sync.scene import BATCH, Found, Scene, in_batches
from numbersadmin.sync.selectors import MOOT

COMPARED = {
    DriftKind.PRICE: ("price_per_month", "setup_price", "currency"),
    DriftKind.CAPABILITIES: ("capabilities",),
    DriftKind.KEY: ("number_key",),
}

ABSENT = (DriftKind.MISSING, DriftKind.GONE)


@contextmanager
def telling(scene: Scene, now: datetime) -> Iterator[None]:
    """A short transaction of the run; the differences noted inside are written before it commits.

    Nothing noted costs no statement. What a transaction that failed had noted is forgotten.
    """
    scene.found.clear()
    scene.over.clear()
    with fenced(scene.run, now):
        yield
        _close(scene, now)
        _open(scene, now)


def note(scene: Scene, found: Found) -> None:
    """Tell of a difference; the first load is no difference from anything."""
    if scene.since is not None:
        scene.found.append(found)


def note_changes(
    scene: Scene, owned: OwnedNumber, before: Mapping[str, Any], at: datetime, not_before: datetime | None
) -> None:
    """Tell what differs now from the facts `before`, one difference a kind."""
    for kind, names in COMPARED.items():
        after = {name: getattr(owned, name) for name in names}
        old = {name: before[name] for name in names}
        if old != after:
            note(scene, Found(kind, owned, at, not_before, old, after))


def note_over(scene: Scene, owned: OwnedNumber, why: str) -> None:
    """It is settled what became of a number that was missing or gone."""
    scene.over[owned.pk] = f"{why} by sync {scene.run.pk}"


def _close(scene: Scene, now: datetime) -> None:
    for why in set(scene.over.values()):
        ids = [pk for pk, said in scene.over.items() if said == why]
        Drift.objects.undecided().filter(kind__in=ABSENT, owned_number__in=ids).update(
            state=DriftState.DECIDED, decision=Decision.OVER, decided_by=None, decided_at=now, note=why
        )


def _open(scene: Scene, now: datetime) -> None:
    if not scene.found:
        return
    found = {(each.owned.pk, each.kind): each for each in scene.found}
    ids = {pk for pk, _ in found}
    known = (
        Drift.objects.undecided().filter(owned_number__in=ids).order_by("pk").select_related("owned_number")
    )
    for drift in known:
        place = (drift.owned.pk, DriftKind(drift.kind))
        again = found.get(place)
        if again is not None and _told_again(drift, again, scene):
            del found[place]
    Drift.objects.bulk_create(
        (
            Drift(
                kind=each.kind,
                owned_number=each.owned,
                run=scene.run,
                created_at=now,
                told_at=each.at,
                not_before=each.not_before,
                before=each.before,
                after=each.after,
            )
            for each in found.values()
        ),
        batch_size=BATCH,
    )


def _told_again(drift: Drift, again: Found, scene: Scene) -> bool:
    """Count on in the same row, which asks again; False when somebody decided it at this moment."""
    undecided = Drift.objects.undecided().filter(pk=drift.pk)
    return bool(
        undecided.update(
            state=DriftState.OPEN,
            times=F("times") + 1,
            run=scene.run,
            told_at=again.at,
            after=again.after,
        )
    )


def close_moot(*, now: datetime) -> int:
    """Close what has been settled elsewhere, so that nobody looks through it for ever; returns how many.

    What settled it is in the audit log: the owner that was given, or the number's end.
    """
    moot = Drift.objects.undecided().filter(MOOT)
    return sum(
        # on the row itself: a condition through a join is not looked at again when somebody decides meanwhile
        Drift.objects.undecided()
        .filter(pk__in=chunk)
        .update(
            state=DriftState.DECIDED,
            decision=Decision.OVER,
            decided_by=None,
            decided_at=now,
            note="Settled elsewhere",
        )
        for chunk in in_batches(list(moot.values_list("pk", flat=True)))
    )
