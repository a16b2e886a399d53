"""Numbers on the list that are not on our records: adopted by the order that bought them, or recorded as new."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby

from numbersadmin.audit.services import event, record_all
from numbersadmin.numbers import services as numbers
from numbersadmin.numbers.models import EndBasis, OwnedNumber, Status
from numbersadmin.numbers.services import Opening
from numbersadmin.orders import services as orders
from numbersadmin.sync import selectors
from numbersadmin.sync.acquired import acquisition
from numbersadmin.sync.drift import note
from numbersadmin.sync.models import DriftKind
from numbersadmin.sync.scene import Found, Row, Scene

SETTLES = timedelta(minutes=2)  # so long after one of our own writes the list may not show it yet
ODD = {"number.back_after_cancel": DriftKind.BACK, "number.listed_twice": DriftKind.TWICE}  # the graver first


def open_rows(scene: Scene, rows: list[Row]) -> int:
    """Record what became ours; returns how many. Leaves to the worker what it is buying at this moment."""
    if not rows:
        return 0
    buying = selectors.being_bought(scene.clock())
    rows = [row for row in rows if row.facts.number not in buying and not _cancelled_just_now(scene, row)]
    for at, group in groupby(sorted(rows, key=lambda row: row.at), key=lambda row: row.at):
        together = list(group)
        adopted = orders.adopt(appeared=((row.facts, row.digest) for row in together), now=at)
        _open(scene, [row for row in together if row.facts.number_key not in adopted], at)
    return len(rows)


def _cancelled_just_now(scene: Scene, row: Row) -> bool:
    past = row.records.past
    return (
        past is not None
        and past.end_basis == EndBasis.CANCELLED_HERE
        and past.ended_to is not None
        and past.ended_to > scene.run.started_at - SETTLES
    )


def _open(scene: Scene, rows: list[Row], at: datetime) -> None:
    opened = numbers.open_numbers(
        openings=[_opening(scene, row) for row in rows],
        actor=None,
        now=at,
        source="sync",
        source_id=scene.run.pk,
    )
    remarks = [(owned, dict(_remarks(scene, row))) for owned, row in zip(opened, rows, strict=True)]
    record_all(
        event(actor=None, by_provider=True, verb=verb, subject=owned, at=at, after=after, related=scene.run)
        for owned, odd in remarks
        for verb, after in odd.items()
    )
    for owned, odd in remarks:
        kind = next((ODD[verb] for verb in ODD if verb in odd), DriftKind.APPEARED)
        facts = {name: value for after in odd.values() for name, value in after.items()}
        note(scene, Found(kind, owned, at, owned.acquired_from, before=facts))


def _opening(scene: Scene, row: Row) -> Opening:
    since = _since(scene, row)
    basis, at = acquisition(row.facts.price, since, row.at)
    return Opening(
        facts=row.facts,
        digest=row.digest,
        acquired_at=at,
        acquired_from=since,
        acquired_to=row.at,
        basis=basis,
        verb="number.reacquired" if row.records.owned_before else "number.appeared",
        related=scene.run,
    )


def _since(scene: Scene, row: Row) -> datetime | None:
    """It was not ours then: the start of the last complete list, or the end of its possession before, if later."""
    ends = [_ended(each) for each in _possessions_before(row)]
    return max((at for at in (scene.since, *ends) if at is not None and at <= row.at), default=None)


def _possessions_before(row: Row) -> Iterable[OwnedNumber]:
    past = [row.records.past] if row.records.past else []
    return [each for each in (*past, *row.records.namesakes) if each.status == Status.ENDED]


def _ended(owned: OwnedNumber) -> datetime | None:
    return owned.ended_to if owned.end_basis == EndBasis.CANCELLED_HERE else owned.ended_from


def _remarks(scene: Scene, row: Row) -> list[tuple[str, dict[str, object]]]:
    """What else is odd about a number that appears: we cancelled it, or it is on the list twice."""
    past = row.records.past
    remarks: list[tuple[str, dict[str, object]]] = []
    if past is not None and past.end_basis == EndBasis.CANCELLED_HERE:
        remarks.append(("number.back_after_cancel", {"cancelled_at": past.ended_to}))
    twins = [] if row.facts.shared else row.records.twins(scene.seen)
    if twins:
        remarks.append(("number.listed_twice", {"number_keys": [each.number_key for each in twins]}))
    return remarks
