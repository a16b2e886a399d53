"""Opening a closed month again for corrections: one person asks with a reason, another one decides."""

from datetime import datetime

from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.costs.ledger import take_turn
from numbersadmin.costs.models import Action, AskState, MonthClose, ReopenAsk
from numbersadmin.costs.months import Month
from numbersadmin.costs.posting import last_close

VERBS = {
    AskState.CONFIRMED: "cost.month_reopened",
    AskState.REFUSED: "cost.reopen_refused",
    AskState.WITHDRAWN: "cost.reopen_withdrawn",
}


class CannotReopen(Exception):
    """Nothing was changed; the message says why."""


def waiting(month: Month) -> ReopenAsk | None:
    """The request to reopen this month that waits for a second person."""
    asks = ReopenAsk.objects.filter(month=str(month), state=AskState.OPEN)
    return asks.select_related("asked_by").first()


def ask(*, month: Month, reason: str, actor: User, now: datetime) -> ReopenAsk:
    """Ask for a second person to reopen a closed month. Raises CannotReopen."""
    if not reason.strip():
        raise CannotReopen("Say why the month has to be opened again.")
    try:
        with transaction.atomic():
            closed = _closed(month)
            made = ReopenAsk.objects.create(
                month=str(month),
                revision=closed.revision,
                reason=reason.strip(),
                asked_by=actor,
                asked_at=now,
            )
            told = {"month": made.month, "revision": made.revision}
            record(
                actor=actor, verb="cost.reopen_asked", subject=made, after=told, reason=made.reason, at=now
            )
    except IntegrityError as error:
        raise CannotReopen(f"Somebody has asked to reopen {month.label} already.") from error
    return made


def confirm(*, asked: ReopenAsk, actor: User, now: datetime) -> MonthClose:
    """Open the month: from now on it takes corrections, and nothing else. Raises CannotReopen."""
    with transaction.atomic():
        closed = _closed(Month.parse(asked.month))
        _decide(asked, AskState.CONFIRMED, actor, now)
        return MonthClose.objects.create(
            month=asked.month,
            revision=closed.revision,
            action=Action.REOPEN,
            at=now,
            by=asked.asked_by,
            second_by=actor,
            reason=asked.reason,
        )


def refuse(*, asked: ReopenAsk, reason: str, actor: User, now: datetime) -> None:
    """Leave the month closed. Raises CannotReopen."""
    if not reason.strip():
        raise CannotReopen("Say why it stays closed.")
    _decide(asked, AskState.REFUSED, actor, now, reason.strip())


def withdraw(*, asked: ReopenAsk, actor: User, now: datetime) -> None:
    """Take one's own request back. Raises CannotReopen."""
    _decide(asked, AskState.WITHDRAWN, actor, now)


def _closed(month: Month) -> MonthClose:
    """Take the turn at a month that is closed; the row that closed it."""
    take_turn(month)
    last = last_close(month)
    if last is None or last.action != Action.CLOSE:
        raise CannotReopen(f"{month.label} is not closed.")
    return last


def _decide(asked: ReopenAsk, state: AskState, actor: User, now: datetime, reason: str = "") -> None:
    """One conditional UPDATE: who asked withdraws, anybody else confirms or refuses."""
    own = asked.asked_by_id == actor.pk
    if own != (state == AskState.WITHDRAWN):
        raise CannotReopen(
            "You asked for it yourself: another person decides."
            if own
            else "Only the person who asked withdraws."
        )
    if not actor.can("costs.reopen"):
        raise CannotReopen("Only finance or an administrator decides on it.")
    with transaction.atomic():
        waits = ReopenAsk.objects.filter(pk=asked.pk, state=AskState.OPEN)
        if not waits.update(state=state, decided_by=actor, decided_at=now, decision_reason=reason):
            raise CannotReopen("Somebody has decided on it already.")
        told = {"month": asked.month, "revision": asked.revision}
        record(
            actor=actor, verb=VERBS[state], subject=asked, after=told, reason=reason or asked.reason, at=now
        )
