"""Numbers that the provider bills and that no sync has ever shown: differences that an invoice tells, not a run."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import F

from numbersadmin.sync.models import Decision, Drift, DriftKind, DriftState
from numbersadmin.sync.scene import BATCH, in_batches


def tell_billed(*, facts: Mapping[str, Mapping[str, Any]], now: datetime) -> list[str]:
    """Tell of numbers, each with what its invoice says (`invoice`, `reference`, `month`, `amount`, `currency`).

    Returns those that are news: the same invoice tells of a number once, whatever was decided. Called in the
    transaction that found them.
    """
    news, again = dict(facts), set[str]()
    for numbers in in_batches(list(facts)):
        for drift in Drift.objects.filter(kind=DriftKind.BILLED, number__in=numbers).order_by("id"):
            said = facts[drift.number]
            if drift.after["invoice"] == said["invoice"]:
                news.pop(drift.number, None)
            elif drift.number in news and _told_again(drift, said, now):
                again.add(drift.number)
    Drift.objects.bulk_create(
        (
            Drift(kind=DriftKind.BILLED, number=number, created_at=now, told_at=now, after=dict(said))
            for number, said in news.items()
            if number not in again
        ),
        batch_size=BATCH,
    )
    return list(news)


def _told_again(drift: Drift, said: Mapping[str, Any], now: datetime) -> bool:
    """Count on in the row if it still waits; then it asks again."""
    waiting = Drift.objects.undecided().filter(pk=drift.pk)
    return bool(waiting.update(state=DriftState.OPEN, times=F("times") + 1, told_at=now, after=dict(said)))


def close_billed(*, numbers: Iterable[str], now: datetime) -> None:
    """Close what was told of numbers that are on record by now."""
    for some in in_batches(list(numbers)):
        Drift.objects.undecided().filter(kind=DriftKind.BILLED, number__in=some).update(
            state=DriftState.DECIDED,
            decision=Decision.OVER,
            decided_by=None,
            decided_at=now,
            note="On record by now",
        )
