"""Doing a bulk change that was confirmed: in batches that each hold or do not, and that go on after a kill.

The rows are the queue: a change waits until it is done, and a batch is done in the transaction that says so.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record, record_all
from numbersadmin.numbers import bulk
from numbersadmin.numbers.bulk import Left
from numbersadmin.numbers.models import BulkBatch, BulkChange, BulkKind, BulkState, OwnedNumber
from numbersadmin.numbers.services import NumberHasMoved, take

logger = logging.getLogger(__name__)
AT_ONCE = 500  # so many are changed while the person waits
LEASE = timedelta(seconds=60)  # renewed with each batch
LEASE_OF_A_FILE = timedelta(minutes=15)  # it is one transaction, which shows nothing until it ends
TRIES = 5
DRAFTS_LAST = timedelta(days=1)
VERBS = {BulkKind.CHANGE: "bulk.changed", BulkKind.IMPORT: "bulk.imported", BulkKind.UNDO: "bulk.undone"}


class NotConfirmed(Exception):
    """The bulk change could not be confirmed; the message says why."""


class FileHasMoved(Exception):
    """Numbers of an imported file were changed by others meanwhile, so nothing of it is done."""

    def __init__(self, left: list[list[Any]]) -> None:
        super().__init__("some numbers were changed meanwhile")
        self.left = left


def confirm(*, actor: User, change: BulkChange, reason: str, now: datetime) -> None:
    """What was previewed is to be done from now on. Raises NotConfirmed."""
    reason = " ".join(reason.split())[:500]
    if "protection" in change.wanted and not reason:
        raise NotConfirmed("Say why. It goes on record.")
    if change.undoes:
        reason = reason or f"Undo of {str(change.undoes).lower()}"
    draft = BulkChange.objects.filter(pk=change.pk, actor=actor, state=BulkState.DRAFT, planned__gt=0)
    try:
        with transaction.atomic():
            if not draft.update(state=BulkState.WAITING, reason=reason, confirmed_at=now):
                raise NotConfirmed("This was confirmed already, or there is nothing to change.")
            record(
                actor=actor,
                verb=VERBS[BulkKind(change.kind)],
                subject=change,
                at=now,
                after={"planned": change.planned, "how": change.preview.get("how", [])},
                reason=reason,
                related=change.undoes,
            )
    except IntegrityError as twice:
        raise NotConfirmed("Somebody has undone this change already.") from twice
    change.state, change.reason, change.confirmed_at = BulkState.WAITING, reason, now


def carry_out(*, change_id: int, clock: Callable[[], datetime]) -> None:
    """Do what of it is not done yet; nothing when somebody else is at it, or it is done."""
    now = clock()
    free = BulkChange.objects.filter(pk=change_id, state=BulkState.WAITING)
    free = free.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))
    of_a_file = free.filter(kind=BulkKind.IMPORT).update(lease_until=now + LEASE_OF_A_FILE)
    if not of_a_file and not free.update(lease_until=now + LEASE):
        return
    change = BulkChange.objects.select_related("actor").get(pk=change_id)
    names = bulk.user_names()
    if of_a_file:
        _do_file(change, names, clock)
        return
    for batch_id in list(change.batches.filter(done=False).order_by("pk").values_list("pk", flat=True)):
        _do_batch(change, batch_id, names, clock())
    _finish(change, clock())


def _do_batch(change: BulkChange, batch_id: int, names: dict[int, str], now: datetime) -> None:
    """One batch; should somebody change one of its numbers at that moment, once more with what is there then."""
    for attempt in range(TRIES):
        try:
            with transaction.atomic():
                apply_batch(change=change, batch_id=batch_id, names=names, now=now)
            return
        except NumberHasMoved:
            logger.info("numbers of %s moved while they were changed, attempt %d", change, attempt + 1)
    raise NumberHasMoved(f"{change} does not come to an end")


def apply_batch(
    *, change: BulkChange, batch_id: int, names: dict[int, str], now: datetime
) -> list[list[Any]]:
    """Change the numbers of one batch, with their events; returns those left as they are. Needs a transaction.

    Raises NumberHasMoved when a row changed between being read and being written.
    """
    if not BulkBatch.objects.filter(pk=batch_id, done=False).update(done=True):
        return []
    batch = BulkBatch.objects.get(pk=batch_id)
    rows = {row.pk: row for row in take(pk for pk, _, _ in batch.plan).only(*bulk.READ)}
    groups: dict[tuple[int, str], list[int]] = {}
    results: list[list[Any]] = []
    left: list[list[Any]] = []
    logged = []
    for pk, version, own in batch.plan:
        after = _outcome(rows.get(pk), version, change.wanted if own is None else own, change, now)
        if isinstance(after, Left):
            left.append([pk, after.value])
            continue
        row = rows[pk]
        before = {name: value for name, value in bulk.fields_of(row).items() if name in after}
        results.append([pk, before, after])
        groups.setdefault((version, bulk.same(after)), []).append(pk)
        logged += bulk.events(row, before, after, change=change, names=names, now=now)
    after_of = {pk: after for pk, _, after in results}
    for (version, _), ids in groups.items():
        seen = OwnedNumber.objects.open().filter(pk__in=ids, version=version)
        if seen.update(version=F("version") + 1, **bulk.columns(after_of[ids[0]])) != len(ids):
            raise NumberHasMoved("a number moved while it was changed")
    record_all(logged)
    BulkBatch.objects.filter(pk=batch_id).update(results=results, left=left)
    BulkChange.objects.filter(pk=change.pk).update(
        changed=F("changed") + len(results), left=F("left") + len(left), lease_until=now + LEASE
    )
    return left


def _outcome(
    row: OwnedNumber | None, version: int, wanted: bulk.Fields, change: BulkChange, now: datetime
) -> dict[str, Any] | Left:
    """What becomes of a number of which this version was planned; None has ended."""
    if row is None:
        return Left.ENDED
    return bulk.outcome(row, wanted, change=change, now=now) if row.version == version else Left.MOVED


def _do_file(change: BulkChange, names: dict[int, str], clock: Callable[[], datetime]) -> None:
    """All of an imported file or nothing of it, in one transaction."""
    now = clock()
    try:
        with transaction.atomic():
            # The first write: a second worker waits here, and then finds that it is done.
            if not BulkChange.objects.filter(pk=change.pk, state=BulkState.WAITING).update(changed=0, left=0):
                return
            left: list[list[Any]] = []
            for batch_id in list(change.batches.order_by("pk").values_list("pk", flat=True)):
                left += apply_batch(change=change, batch_id=batch_id, names=names, now=now)
            if left:
                raise FileHasMoved(left)
            _finish(change, clock())
    except (FileHasMoved, NumberHasMoved) as moved:
        left = moved.left if isinstance(moved, FileHasMoved) else []
        _refuse(change, left, clock())


def _refuse(change: BulkChange, left: list[list[Any]], now: datetime) -> None:
    """Nothing of a file was done: keep which numbers stood in the way."""
    BulkChange.objects.filter(pk=change.pk, state=BulkState.WAITING).update(
        state=BulkState.REFUSED,
        finished_at=now,
        lease_until=None,
        preview=change.preview | {"moved": left[:50]},
    )


def _finish(change: BulkChange, now: datetime) -> None:
    """It is done when each of its batches is."""
    if not change.batches.filter(done=False).exists():
        waiting = BulkChange.objects.filter(pk=change.pk, state=BulkState.WAITING)
        waiting.update(state=BulkState.DONE, finished_at=now, lease_until=None)


def sweep(*, clock: Callable[[], datetime]) -> None:
    """Go on with what was left, and forget previews that nobody confirmed."""
    now = clock()
    waiting = BulkChange.objects.filter(state=BulkState.WAITING)
    left = waiting.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now)).order_by("pk")
    for change_id in list(left.values_list("pk", flat=True)):
        carry_out(change_id=change_id, clock=clock)
    BulkChange.objects.filter(state=BulkState.DRAFT, created_at__lt=now - DRAFTS_LAST).delete()
