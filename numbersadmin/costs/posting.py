"""Corrections that people post; each takes its turn at the month first (ledger.py)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import event, record_all
from numbersadmin.costs.charges import Basis, Kind
from numbersadmin.costs.ledger import Records, take_turn
from numbersadmin.costs.models import Action, LedgerLine, MonthClose, Origin
from numbersadmin.costs.months import Month
from numbersadmin.costs.possessions import Subject
from numbersadmin.rows import insert, new


class CannotCorrect(Exception):
    """The correction was not posted; the message says why and what to do."""


def last_close(month: Month) -> MonthClose | None:
    """The newest row about a month; None while it was never closed. Sure only after `take_turn`."""
    return MonthClose.objects.filter(month=str(month)).select_related("by").order_by("id").last()


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A difference to post; `corrects` is the month that it is about, None for the one that takes it.

    The same `form_token` again, or for late facts the same `sequence`, is never posted.
    """

    subject: Subject
    amount: Decimal
    currency: str
    reason: str
    corrects: Month | None = None
    sequence: int | None = None
    form_token: str | None = None


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
    """Post one correction in the earliest month that is not closed; the rest is as of `Correction`.

    Raises CannotCorrect when no month takes it, the amount is 0, or it was posted already.
    """
    correction = Correction(
        subject=subject,
        amount=amount,
        currency=currency,
        reason=reason,
        corrects=corrects,
        sequence=sequence,
        form_token=form_token,
    )
    (posted,) = post_corrections(known=known, corrections=[correction], actor=actor, now=now, origin=origin)
    return posted


def post_corrections(
    *, known: Records, corrections: Sequence[Correction], origin: Origin, actor: User, now: datetime
) -> list[LedgerLine]:
    """Post all of them in the earliest month that is not closed, or none. Raises CannotCorrect."""
    if (month := known.to_close) is None:
        raise CannotCorrect("Nothing is on record yet, so there is no month to correct.")
    for correction in corrections:
        _check(correction, month)
    try:
        with transaction.atomic():
            revision = _revision(month)
            posted = [
                _line(one, known=known, month=month, revision=revision, origin=origin, actor=actor, now=now)
                for one in corrections
            ]
            insert(posted)
            record_all(
                event(
                    actor=actor,
                    verb="cost.corrected",
                    subject=line,
                    after={name: getattr(line, name) for name in ("month", "corrects", "amount", "currency")},
                    reason=line.note,
                    at=now,
                )
                for line in posted
            )
    except IntegrityError as error:
        raise CannotCorrect("This correction was posted already. Nothing was posted twice.") from error
    return posted


def _check(correction: Correction, month: Month) -> None:
    """Raises CannotCorrect for what no month takes."""
    if not correction.amount:
        raise CannotCorrect("A correction of 0 changes nothing. Enter the difference.")
    if not correction.reason.strip():
        raise CannotCorrect("Say why the cost is corrected.")
    if (about := correction.corrects) and about > month:
        raise CannotCorrect(f"{about.label} comes after {month.label}, which takes the corrections now.")


def _line(
    correction: Correction,
    *,
    known: Records,
    month: Month,
    revision: int,
    origin: Origin,
    actor: User,
    now: datetime,
) -> LedgerLine:
    corrects = correction.corrects
    return new(
        LedgerLine,
        **about(correction.subject),
        month=str(month),
        revision=revision,
        kind=Kind.ADJUSTMENT,
        origin=origin,
        amount=correction.amount,
        currency=correction.currency,
        basis=Basis.INVOICE if origin == Origin.INVOICE else Basis.MANUAL,
        period_start=known.calendar.start(corrects or month),
        period_end=known.calendar.end(corrects or month),
        note=correction.reason.strip(),
        corrects=str(corrects) if corrects else "",
        sequence=correction.sequence,
        form_token=correction.form_token,
        posted_at=now,
        posted_by_id=actor.pk,
    )


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


def about(subject: Subject) -> dict[str, Any]:
    """What the line is about, as the ledger keeps it."""
    return {
        "owned_number_id": subject.id,
        "number_key": subject.number_key,
        "number": subject.number,
        "country": subject.country,
        "type": subject.type,
        "capabilities": subject.capabilities,
        "shared": subject.shared,
        "labels": subject.labels,
        "owner": subject.owner,
        "cost_centre": subject.cost_centre,
    }
