"""Asking for a number that nobody uses, and answering that: every write to Ask."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from numbersadmin.accounts.models import User
from numbersadmin.audit.services import record
from numbersadmin.available.models import Ask, AskState
from numbersadmin.numbers.models import OwnedNumber, Status
from numbersadmin.numbers.services import assign
from numbersadmin.orders.selectors import live_cancels


class CannotAsk(Exception):
    """The number cannot be asked for, or the answer cannot be given; the message says why."""


def why_not_spare(owned: OwnedNumber) -> str:
    """Why nobody can have the number; empty when it is ours, without an owner and stays."""
    if owned.status == Status.ENDED:
        return "This number is no longer ours."
    if owned.status == Status.MISSING:
        return "This number is missing at Infobip. Whether it is still ours is not known."
    if owned.owner_id:
        return f"This number belongs to {owned.owner.display_name if owned.owner else 'somebody'} now."
    order = live_cancels([owned.pk]).get(owned.pk)
    return f"This number is to be cancelled by order {order}." if order else ""


def ask_for(*, actor: User, owned: OwnedNumber, reason: str, now: datetime) -> Ask:
    """Ask those who may give it. Raises CannotAsk."""
    reason = _one_line(reason)
    if not actor.can("numbers.edit_own"):
        raise CannotAsk("Account managers, approvers and finance ask for numbers.")
    if problem := why_not_spare(owned):
        raise CannotAsk(problem)
    if not reason:
        raise CannotAsk("Say what you need it for.")
    try:
        with transaction.atomic():
            made = Ask.objects.create(owned_number=owned, asked_by=actor, asked_at=now, reason=reason)
            record(actor=actor, verb="number.asked_for", subject=owned, at=now, reason=reason)
    except IntegrityError:
        raise CannotAsk("You have asked for this number already.") from None
    return made


def give(*, actor: User, ask: Ask, answer: str = "", now: datetime) -> None:
    """Make the number theirs; everybody else who asked for it is told. Raises CannotAsk, NumberHasMoved."""
    if not actor.can("numbers.edit"):
        raise CannotAsk("Only an approver or finance gives numbers.")
    owner = ask.asked_by
    if not owner.is_active:
        raise CannotAsk(f"{owner.display_name} no longer works with this program.")
    with transaction.atomic():
        _answered(ask, actor, AskState.GIVEN, answer, now)
        owned = OwnedNumber.objects.get(pk=ask.owned_number_id)
        if problem := why_not_spare(owned):
            raise CannotAsk(problem)
        assign(actor=actor, numbers=[owned], owner=owner, now=now, reason=f"Asked for: {ask.reason}")
        others = Ask.objects.filter(owned_number=owned, state=AskState.OPEN).select_related("asked_by")
        for other in others:
            _answered(other, actor, AskState.REFUSED, f"Given to {owner.display_name}.", now)


def refuse(*, actor: User, ask: Ask, answer: str, now: datetime) -> None:
    """The number stays without an owner, or with the one it has. Raises CannotAsk."""
    if not actor.can("numbers.edit"):
        raise CannotAsk("Only an approver or finance answers who asks for a number.")
    if not _one_line(answer):
        raise CannotAsk("Say why not.")
    with transaction.atomic():
        _answered(ask, actor, AskState.REFUSED, answer, now)


def withdraw(*, actor: User, ask: Ask, answer: str = "", now: datetime) -> None:
    """Whoever asked needs it no more. Raises CannotAsk."""
    if ask.asked_by_id != actor.pk:
        raise CannotAsk("Only who asked can take that back.")
    with transaction.atomic():
        _answered(ask, actor, AskState.WITHDRAWN, answer, now)


VERBS = {
    AskState.GIVEN: "number.ask_given",
    AskState.REFUSED: "number.ask_refused",
    AskState.WITHDRAWN: "number.ask_withdrawn",
}


def _answered(ask: Ask, actor: User, state: AskState, answer: str, now: datetime) -> None:
    """One conditional UPDATE with its event, in the caller's transaction."""
    answer = _one_line(answer)
    changes: dict[str, Any] = {"state": state, "decided_by": actor, "decided_at": now, "answer": answer}
    if Ask.objects.filter(pk=ask.pk, state=AskState.OPEN).update(**changes) != 1:
        raise CannotAsk("Somebody answered this already. Look again.")
    record(
        actor=actor,
        verb=VERBS[state],
        subject=ask.owned_number,
        at=now,
        before={"state": AskState.OPEN},
        after={"state": state, "asked_by": ask.asked_by.username},
        reason=answer,
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
