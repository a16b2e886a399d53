"""Notes that people keep about months: add, change and remove, each with its event."""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.costs.models import MonthNote
from numbersadmin.costs.months import Month

LONGEST = 200


class CannotNote(Exception):
    """The note was not written; the message says why and what to do."""


@transaction.atomic
def add(*, month: Month, text: str, actor: User, now: datetime) -> MonthNote:
    """Note something about a month. Raises CannotNote for a text that is empty or too long."""
    note = MonthNote.objects.create(month=str(month), text=_checked(text), by=actor, at=now)
    record(actor=actor, verb="cost.note_added", subject=note, after={"text": note.text}, at=now)
    return note


@transaction.atomic
def change(*, note: MonthNote, text: str, actor: User, now: datetime) -> None:
    """Write another text, which is the actor's then. Raises CannotNote when somebody was faster."""
    was, text = note.text, _checked(text)
    found = MonthNote.objects.filter(pk=note.pk, version=note.version)
    if not found.update(text=text, by=actor, at=now, version=F("version") + 1):
        raise CannotNote("Somebody has just changed this note. Look at it again before you change it.")
    record(
        actor=actor,
        verb="cost.note_changed",
        subject=note,
        before={"text": was},
        after={"text": text},
        at=now,
    )


@transaction.atomic
def remove(*, note: MonthNote, actor: User, now: datetime) -> None:
    """Take a note away. Raises CannotNote when somebody was faster."""
    removed, _ = MonthNote.objects.filter(pk=note.pk, version=note.version).delete()
    if not removed:
        raise CannotNote("Somebody has just changed this note. Look at it again before you remove it.")
    record(actor=actor, verb="cost.note_removed", subject=note, before={"text": note.text}, at=now)


def _checked(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        raise CannotNote("Write what is to be remembered about the month.")
    if len(text) > LONGEST:
        raise CannotNote(f"A note has at most {LONGEST} characters, this one has {len(text)}.")
    return text
