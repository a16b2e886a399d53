"""Answering a sheet: choices are noted as a draft, and the answer carries all of them out together."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from numbersadmin.accounts.models import User
from numbersadmin.attestation import selectors
from numbersadmin.attestation.closing import close_if_complete
from numbersadmin.attestation.errors import AttestationError, Overtaken, Refused
from numbersadmin.attestation.models import (
    WAITING,
    Choice,
    Decision,
    Line,
    LineState,
    Sheet,
    SheetState,
    Verdict,
)
from numbersadmin.audit.services import record
from numbersadmin.formats import when
from numbersadmin.orders import services as orders
from numbersadmin.orders.models import Order, OrderItem

BATCH = 1000
LONGEST_REASON = 300
MOST_REASONS = 6  # are named in an order; all of them stay on record here


def note_choice(
    *,
    actor: User,
    sheet: Sheet,
    choice: str,
    now: datetime,
    line_ids: Iterable[int] = (),
    rest: bool = False,
    to_person: User | None = None,
    reason: str = "",
) -> int:
    """Note what is chosen for these lines, or for all without a choice; returns for how many. Nothing happens yet."""
    _check_may(actor, sheet)
    reason = " ".join(reason.split())
    _check_choice(actor, sheet, choice, to_person, reason)
    lines = Line.objects.filter(sheet=sheet, state=LineState.OPEN)
    lines = lines.filter(choice="") if rest else lines.filter(pk__in=list(line_ids))
    with transaction.atomic():
        # The sheet first: whoever answers it at this moment either counts these choices or is told of them.
        touched = Sheet.objects.filter(pk=sheet.pk, state__in=WAITING)
        if not touched.update(version=F("version") + 1):
            raise _who_was_first(sheet)
        count = lines.update(
            choice=choice,
            to_person=to_person if choice == Choice.HAND_OVER else None,
            reason=reason if choice != Choice.KEEP else "",
        )
        if not count:
            raise AttestationError("Tick at least one number.", field="line")
        after = {"choice": choice, "numbers": count, "to": to_person.username if to_person else None}
        record(actor=actor, verb="attestation.noted", subject=sheet, at=now, after=after, reason=reason)
    return count


def _check_may(actor: User, sheet: Sheet) -> None:
    if not sheet.round.open_mark or sheet.state not in WAITING:
        raise _who_was_first(sheet)
    if not sheet.round.ready_at:
        raise AttestationError("This attestation is still being prepared. Try again in a minute.")
    if not selectors.may_answer(actor, sheet):
        raise Refused("Only the owner answers, and an administrator when the owner did not in time.")


def _check_choice(actor: User, sheet: Sheet, choice: str, to_person: User | None, reason: str) -> None:
    if choice not in Choice.values:
        raise AttestationError("Choose keep, hand over or give back.", field="choice")
    if choice == Choice.HAND_OVER:
        if to_person is None or not to_person.is_active:
            raise AttestationError("Choose who takes them over.", field="to_person")
        if to_person.pk == sheet.owner_id:
            raise AttestationError(f"{to_person.display_name} has them already.", field="to_person")
    if choice == Choice.GIVE_BACK and not actor.can("orders.give_back"):
        raise Refused("Your role does not give numbers back. Hand them over to somebody who can decide.")
    if choice == Choice.GIVE_BACK and not reason:
        raise AttestationError("Say why. The approver reads this.", field="reason")
    if len(reason) > LONGEST_REASON:
        raise AttestationError(f"Keep the reason to {LONGEST_REASON} characters.", field="reason")


def _who_was_first(sheet: Sheet) -> Overtaken:
    sheet = Sheet.objects.select_related("answered_by", "round").get(pk=sheet.pk)
    if sheet.state == SheetState.ANSWERED and sheet.answered_by:
        who = sheet.answered_by.display_name
        return Overtaken(f"{who} has answered this sheet already, on {when(sheet.answered_at)}.")
    if not sheet.round.open_mark:
        return Overtaken(f"This attestation was closed on {when(sheet.round.closed_at)}.")
    return Overtaken("The choices were changed meanwhile. Look at them again, then answer.")


def answer(*, actor: User, sheet: Sheet, version: int, now: datetime) -> list[Order]:
    """Carry out what is chosen on a sheet as it was seen (`version`); the orders that came of it.

    Kept numbers stay, numbers to hand over wait for who takes them, numbers to give back are one order to cancel
    them. All of it happens, or none. A number that ended, changed hands or is being cancelled is passed over.
    """
    _check_may(actor, sheet)
    try:
        return _carry_out(actor, sheet, version, now)
    except orders.OrderError as error:
        raise Overtaken(str(error)) from error


def _carry_out(actor: User, sheet: Sheet, version: int, now: datetime) -> list[Order]:
    with transaction.atomic():
        if not _claim(sheet, actor, version, now):
            raise _who_was_first(sheet)
        lines = Line.objects.filter(sheet=sheet, state=LineState.OPEN)
        passed = _decide(
            selectors.passed_over(lines, sheet.owner_id),
            LineState.SKIPPED,
            lambda line: {
                "verdict": Verdict.SKIPPED,
                "reason": selectors.why_passed(line, sheet.owner_id, line.going_on),  # type: ignore[attr-defined]
            },
            actor,
            now,
        )
        if lines.filter(choice="").exists():
            raise AttestationError("Some numbers have no answer yet. Choose for each of them, then answer.")
        made = _give_back(sheet, lines, actor, now)
        kept = _decide(lines.filter(choice=Choice.KEEP), LineState.KEPT, _as_chosen, actor, now)
        handed = _decide(lines.filter(choice=Choice.HAND_OVER), LineState.HANDING, _as_chosen, actor, now)
        given = sum(order.items.count() for order in made)
        after: dict[str, Any] = {
            "kept": kept,
            "handed_over": handed,
            "given_back": given,
            "nothing_done": passed,
        }
        after |= {"orders": [order.pk for order in made]}
        record(actor=actor, verb="attestation.answered", subject=sheet, at=now, after=after)
        close_if_complete(sheet.round, now)
    return made


def _claim(sheet: Sheet, actor: User, version: int, now: datetime) -> bool:
    """Of two answers at once one gets it, and only as it was seen.

    The conditions are on the row alone: PostgreSQL looks again only at those when it had to wait for the other.
    That the round is open needs no condition, because closing it ends every sheet that waits.
    """
    mine = Sheet.objects.filter(pk=sheet.pk, version=version, state__in=WAITING)
    answered = {"state": SheetState.ANSWERED, "answered_at": now, "answered_by": actor}
    return bool(mine.update(version=F("version") + 1, **answered))


def _as_chosen(line: Line) -> dict[str, Any]:
    return {"verdict": Verdict(line.choice), "to_person_id": line.to_person_id, "reason": line.reason}


def _decide(
    lines: QuerySet[Line],
    state: LineState,
    facts: Callable[[Line], dict[str, Any]],
    actor: User,
    now: datetime,
) -> int:
    """Keep a decision for each of these lines and move them on, in batches; how many there were."""
    count, last = 0, 0
    while batch := list(lines.filter(pk__gt=last).order_by("pk")[:BATCH]):
        Decision.objects.bulk_create(
            [Decision(line=line, by=actor, at=now, **facts(line)) for line in batch], batch_size=500
        )
        Line.objects.filter(pk__in=[line.pk for line in batch]).update(state=state)
        count, last = count + len(batch), batch[-1].pk
    return count


def _give_back(sheet: Sheet, lines: QuerySet[Line], actor: User, now: datetime) -> list[Order]:
    """Order the cancellation of what is to be given back."""
    chosen = lines.filter(choice=Choice.GIVE_BACK).select_related("owned_number").order_by("pk")
    numbers = [line.owned_number for line in chosen]
    if not numbers:
        return []
    made = orders.submit_give_back(
        actor=actor,
        numbers=numbers,
        owner=sheet.owner,
        reason=_reason(sheet, selectors.reasons_of(chosen)),
        form_token=f"attestation-sheet-{sheet.pk}",
        now=now,
    )
    items = OrderItem.objects.filter(order__in=made)
    order_of = dict(items.values_list("owned_number", "order"))
    _decide(
        chosen,
        LineState.GIVEN_BACK,
        lambda line: _as_chosen(line) | {"order_id": order_of[line.owned_number_id]},
        actor,
        now,
    )
    return made


def _reason(sheet: Sheet, reasons: list[tuple[str, int]]) -> str:
    """Why, for the approver: the reasons as they were written, with how many numbers each is for."""
    if len(reasons) == 1:
        told = [reasons[0][0]]
    else:
        told = [f"{reason} ({count})" for reason, count in reasons[:MOST_REASONS]]
    whose = f"numbers of {sheet.owner.display_name}" if sheet.owner else "numbers of nobody"
    text = "\n".join([f"Attestation {sheet.round_id}, {whose}:", *told])
    more = "\nAnd other reasons, on the sheet." if len(reasons) > MOST_REASONS else ""
    longest = orders.LONGEST_REASON - len(more)
    return (text if len(text) <= longest else f"{text[: longest - 1]}…") + more
