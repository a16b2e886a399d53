"""Every write to the ledger that a person asks for; each takes its turn at the month first (ledger.py)."""

from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.costs.charges import Basis, Kind
from numbersadmin.costs.ledger import Records, take_turn
from numbersadmin.costs.models import Action, LedgerLine, MonthClose, Origin
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject

__all__ = ["Subject", "take_turn"]  # of other files, open to other apps


class CannotCorrect(Exception):
    """The correction was not posted; the message says why and what to do."""


def last_close(month: Month) -> MonthClose | None:
    """The newest row about a month; None while it was never closed. Sure only after `take_turn`."""
    return MonthClose.objects.filter(month=str(month)).select_related("by").order_by("id").last()


def post_correction(
    *,
    known: Records,
    subject: Subject,
    amount: Decimal,
    currency: str,
    reason: str,
    actor: User,
    now: datetime,
    origin: Origin = Origin.MANUAL,
    corrects: Month | None = None,
    sequence: int | None = None,
    form_token: str | None = None,
) -> LedgerLine:
    """Post one correction in the earliest month that is not closed; `corrects` is the month that it is about.

    The same `form_token` again, or for late facts the same `sequence`, posts nothing.
    Raises CannotCorrect when no month takes it, the amount is 0, or it was posted already.
    """
    month, about = _months(known, amount, reason, corrects)
    facts: dict[str, Any] = {
        **_about(subject),
        "month": str(month),
        "kind": Kind.ADJUSTMENT,
        "origin": origin,
        "amount": amount,
        "currency": currency,
        "basis": Basis.INVOICE if origin == Origin.INVOICE else Basis.MANUAL,
        "period_start": known.calendar.start(about),
        "period_end": known.calendar.end(about),
        "note": reason.strip(),
        "corrects": str(corrects) if corrects else "",
        "sequence": sequence,
        "form_token": form_token,
        "posted_at": now,
        "posted_by": actor,
    }
    try:
        with transaction.atomic():
            posted = LedgerLine.objects.create(**facts, revision=_revision(month))
            told = {name: facts[name] for name in ("month", "corrects", "amount", "currency")}
            record(actor=actor, verb="cost.corrected", subject=posted, after=told, reason=posted.note, at=now)
    except IntegrityError as error:
        raise CannotCorrect("This correction was posted already. Nothing was posted twice.") from error
    return posted


def _months(known: Records, amount: Decimal, reason: str, corrects: Month | None) -> tuple[Month, Month]:
    """The month that takes the correction, and the one it is about."""
    if (month := known.to_close) is None:
        raise CannotCorrect("Nothing is on record yet, so there is no month to correct.")
    if not amount:
        raise CannotCorrect("A correction of 0 changes nothing. Enter the difference.")
    if not reason.strip():
        raise CannotCorrect("Say why the cost is corrected.")
    if corrects and corrects > month:
        raise CannotCorrect(f"{corrects.label} comes after {month.label}, which takes the corrections now.")
    return month, corrects or month


def _revision(month: Month) -> int:
    """Take the turn at an open month; the revision that will carry what is posted now."""
    take_turn(month)
    last = last_close(month)
    if last is None:
        return 1
    if last.action == Action.CLOSE:
        raise CannotCorrect(
            f"{last.by.display_name} has just closed {month.label}. Post it again in the month after."
        )
    return last.revision + 1


def _about(subject: Subject) -> dict[str, Any]:
    """What the line is about, as the ledger keeps it."""
    facts = {one.name: getattr(subject, one.name) for one in fields(subject)}
    return facts | {"owned_number_id": facts.pop("id"), "labels": list(subject.labels)}
