"""Numbers handed over in an attestation: they change hands when the receiver takes them, and stay when not."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from numbersadmin.accounts.models import User
from numbersadmin.attestation import selectors
from numbersadmin.attestation.closing import close_if_complete
from numbersadmin.attestation.errors import AttestationError, Overtaken
from numbersadmin.attestation.models import Decision, Line, LineState, Round, Verdict
from numbersadmin.audit.services import record
from numbersadmin.formats import phone_intl
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.numbers.services import NumberHasMoved, assign

LONGEST_REASON = 300


@dataclass
class Taken:
    """What taking over came to: numbers that are theirs now, and those for which it was too late, with why."""

    numbers: list[OwnedNumber] = field(default_factory=list)
    void: list[str] = field(default_factory=list)


def take_over(*, actor: User, line_ids: Iterable[int], now: datetime) -> Taken:
    """Take over numbers that were handed to this person; all of them that are still there to be taken."""
    lines, result = _mine(actor, line_ids), Taken()
    try:
        with transaction.atomic():
            for line in lines:
                if why := _too_late(line):
                    _move(line, LineState.SKIPPED, Verdict.VOID, actor, why, now)
                    result.void.append(f"{phone_intl(line.owned_number.number)}: {why}")
                    continue
                _move(line, LineState.HANDED, Verdict.ACCEPTED, actor, "", now)
                assign(
                    actor=actor,
                    numbers=[line.owned_number],
                    owner=actor,
                    reason=f"Handed over in attestation {line.round_id}",
                    now=now,
                )
                result.numbers.append(line.owned_number)
            _close_complete(lines, now)
    except NumberHasMoved as moved:
        raise Overtaken(str(moved)) from moved
    return result


def refuse(*, actor: User, line_ids: Iterable[int], reason: str, now: datetime) -> list[Line]:
    """Do not take numbers over: they stay with who has them."""
    reason = " ".join(reason.split())
    if not reason:
        raise AttestationError("Say why you do not take them over.", field="reason")
    if len(reason) > LONGEST_REASON:
        raise AttestationError(f"Keep the reason to {LONGEST_REASON} characters.", field="reason")
    lines = _mine(actor, line_ids)
    with transaction.atomic():
        for line in lines:
            _move(line, LineState.RETURNED, Verdict.REFUSED, actor, reason, now)
        _close_complete(lines, now)
    return lines


def _mine(actor: User, line_ids: Iterable[int]) -> list[Line]:
    wanted = set(line_ids)
    if not wanted:
        raise AttestationError("Tick at least one number.")
    found = list(selectors.handed_to(actor).filter(pk__in=wanted).order_by("pk"))
    if len(found) < len(wanted):
        raise Overtaken(
            "Some of these were answered already, or are not handed to you. Look at the list again."
        )
    return found


def _too_late(line: Line) -> str:
    """Why the number cannot change hands any more; empty when it can."""
    late = selectors.passed_over(Line.objects.filter(pk=line.pk), line.sheet.owner_id).first()
    return selectors.why_passed(late, line.sheet.owner_id, late.going_on) if late else ""  # type: ignore[attr-defined]


def _move(line: Line, state: LineState, verdict: Verdict, actor: User, reason: str, now: datetime) -> None:
    """One conditional UPDATE: of two answers at once one counts, and the other undoes all it did."""
    mine = Line.objects.filter(pk=line.pk, state=LineState.HANDING)
    if not mine.update(state=state):
        raise Overtaken(
            f"{phone_intl(line.owned_number.number)} was answered already. Look at the list again."
        )
    Decision.objects.create(line=line, verdict=verdict, by=actor, at=now, reason=reason)
    verbs = {Verdict.ACCEPTED: "taken_over", Verdict.REFUSED: "refused", Verdict.VOID: "void"}
    record(
        actor=actor,
        verb=f"attestation.{verbs[verdict]}",
        subject=line.owned_number,
        at=now,
        reason=reason,
        related=line.sheet,
    )


def _close_complete(lines: Iterable[Line], now: datetime) -> None:
    for found in Round.objects.filter(pk__in={line.round_id for line in lines}, open_mark=True):
        close_if_complete(found, now)
