"""The day on which a number became ours, entered by a person who knows it, and taking that back.

It explains. No amount that the provider stated and no closed month follows from it (docs/costs.md).
"""

from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.dateparse import parse_datetime

from numbersadmin.accounts.models import User
from numbersadmin.audit.models import AuditEvent
from numbersadmin.audit.services import record
from numbersadmin.formats import when
from numbersadmin.numbers import since
from numbersadmin.numbers.models import AcquiredBasis, OwnedNumber
from numbersadmin.numbers.services import NumberHasMoved

STATED = "number.acquired_stated"
LONGEST_NOTE = 120  # with the person's name before it, it has to fit into the record
Known = dict[str, Any]


class NotPossible(Exception):
    """The day cannot be entered; the message says why."""


def why_fixed(owned: OwnedNumber) -> str:
    """Why no day can be entered at all; empty when one can."""
    if owned.acquired_basis == AcquiredBasis.PURCHASED_HERE:
        return "It was bought here, so the moment is on record."
    return ""


def earliest(owned: OwnedNumber) -> datetime | None:
    """The last moment at which the number was surely not ours; None when nothing is known of that."""
    earlier = OwnedNumber.objects.filter(
        number=owned.number, country=owned.country, ended_to__lte=owned.acquired_to
    ).exclude(pk=owned.pk)
    last = earlier.order_by("-ended_to").first()
    gone = (last.ended_from or last.ended_to) if last else None
    return max((at for at in (owned.acquired_from, gone) if at), default=None)


def state_acquired(*, actor: User, owned: OwnedNumber, day: date, note: str, now: datetime) -> None:
    """Record the day, and how it is known. Raises NotPossible, NumberHasMoved."""
    note = " ".join(note.split())[:LONGEST_NOTE]
    if not actor.can("numbers.state_date"):
        raise NotPossible("Only finance enters the day on which a number became ours.")
    if not note:
        raise NotPossible("Say how you know it.")
    if fixed := why_fixed(owned):
        raise NotPossible(fixed)
    at = _moment(day, earliest(owned), owned.acquired_to)
    new = {
        "acquired_basis": AcquiredBasis.STATED,
        "acquired_at": at,
        "acquired_note": f"{actor.display_name}: {note}"[:200],
    }
    _write(actor, owned, STATED, new, {"day": day}, note, now)


def take_back(*, actor: User, owned: OwnedNumber, reason: str, now: datetime) -> None:
    """Back to what the records say by themselves. Raises NotPossible, NumberHasMoved."""
    reason = " ".join(reason.split())[:300]
    if not actor.can("numbers.state_date"):
        raise NotPossible("Only finance takes back a day that was entered.")
    if owned.acquired_basis != AcquiredBasis.STATED:
        raise NotPossible("No day is entered any more.")
    if not reason:
        raise NotPossible("Say why it is taken back.")
    _write(actor, owned, "number.acquired_taken_back", _as_recorded(owned), {}, reason, now)


def _moment(day: date, after: datetime | None, until: datetime) -> datetime:
    """Noon of the day as months are charged, or the part of it that is possible. Raises NotPossible."""
    if day > _day(until):
        raise NotPossible(
            f"It was seen in the account on {when(until, 'date')}. Enter that day or one before."
        )
    if after and day < _day(after):
        raise NotPossible(f"It was not ours on {when(after, 'date')}. Enter that day or a later one.")
    noon = datetime.combine(day, time(12), since.billing_zone())
    return min(max(noon, after + timedelta(microseconds=1)) if after else noon, until)


def _day(moment: datetime) -> date:
    return moment.astimezone(since.billing_zone()).date()


def _as_recorded(owned: OwnedNumber) -> Known:
    """What was known before the first day was entered, as the audit log has it."""
    entered = AuditEvent.objects.filter(
        subject_type=OwnedNumber._meta.model_name, subject_id=owned.pk, verb=STATED
    )
    for before in entered.order_by("-id").values_list("before", flat=True):
        if before and before["acquired_basis"] != AcquiredBasis.STATED:
            at = before["acquired_at"]
            return {**before, "acquired_at": parse_datetime(at) if at else None}
    raise NotPossible("What was known before is not on record.")


def _write(
    actor: User, owned: OwnedNumber, verb: str, new: Known, more: Known, reason: str, now: datetime
) -> None:
    before = {name: getattr(owned, name) for name in new}
    with transaction.atomic():
        as_read = OwnedNumber.objects.filter(pk=owned.pk, version=owned.version)
        if as_read.update(version=F("version") + 1, **new) != 1:
            raise NumberHasMoved(f"{owned} was changed by somebody else meanwhile. Look again, then decide.")
        record(
            actor=actor,
            verb=verb,
            subject=owned,
            at=now,
            before=before,
            after={**new, **more},
            reason=reason,
        )
    for name, value in new.items():
        setattr(owned, name, value)
    owned.version += 1
