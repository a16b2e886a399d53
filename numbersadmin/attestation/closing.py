"""The end of a round: by itself when everything is answered, or by an administrator. Then it is a record."""

from datetime import date, datetime

from django.db import transaction
from django.db.models import F

from numbersadmin.accounts.models import User
from numbersadmin.attestation.errors import AttestationError, Overtaken, Refused
from numbersadmin.attestation.models import (
    WAITING,
    Decision,
    Line,
    LineState,
    Round,
    Sheet,
    SheetState,
    Verdict,
)
from numbersadmin.attestation.opening import today
from numbersadmin.audit.services import record
from numbersadmin.formats import when

BATCH = 1000
LONGEST_REASON = 500
LONGEST_DAYS = 90


def close_if_complete(found: Round, now: datetime) -> bool:
    """Close a round in which nothing is open any more; called at the end of whatever may have been the last act."""
    if not found.ready_at or found.sheets.filter(state__in=WAITING).exists():
        return False
    if found.lines.filter(state=LineState.HANDING).exists():
        return False
    with transaction.atomic():
        if not _close(found, now):
            return False
        record(actor=None, verb="attestation.closed", subject=found, at=now, reason="Everything is answered.")
    return True


def close(*, actor: User, found: Round, reason: str, now: datetime) -> None:
    """Close a round as it stands: what was not answered stays so on record, and hand-overs lapse."""
    reason = _check(actor, reason)
    if not found.ready_at:
        raise AttestationError("This attestation is still being prepared. Try again in a minute.")
    with transaction.atomic():  # sheets, lines, round: the order in which an answer touches them
        sheets = found.sheets.filter(state__in=WAITING)
        unanswered = sheets.update(state=SheetState.UNANSWERED, version=F("version") + 1)
        lines = _end(found, LineState.OPEN, LineState.UNANSWERED, Verdict.UNANSWERED, actor, now)
        lapsed = _end(found, LineState.HANDING, LineState.RETURNED, Verdict.LAPSED, actor, now)
        if not _close(found, now, closed_by=actor, close_reason=reason):
            found.refresh_from_db()
            raise Overtaken(f"This attestation was closed already, on {when(found.closed_at)}.")
        after = {"sheets_unanswered": unanswered, "numbers_unanswered": lines, "hand_overs_lapsed": lapsed}
        record(actor=actor, verb="attestation.closed", subject=found, at=now, after=after, reason=reason)


def _close(found: Round, now: datetime, **more: object) -> bool:
    mine = Round.objects.filter(pk=found.pk, open_mark=True)
    return bool(mine.update(open_mark=None, closed_at=now, **more))


def _end(found: Round, old: LineState, new: LineState, verdict: Verdict, actor: User, now: datetime) -> int:
    count, last = 0, 0
    lines = found.lines.filter(state=old).order_by("pk").values_list("pk", flat=True)
    while batch := list(lines.filter(pk__gt=last)[:BATCH]):
        if Line.objects.filter(pk__in=batch, state=old).update(state=new) != len(batch):
            raise Overtaken("Somebody answered at this very moment. Look again, then close it.")
        Decision.objects.bulk_create(
            [Decision(line_id=pk, verdict=verdict, by=actor, at=now) for pk in batch], batch_size=500
        )
        count, last = count + len(batch), batch[-1]
    return count


def extend(*, actor: User, sheet: Sheet, due_on: date, reason: str, now: datetime) -> None:
    """Give the owner of a sheet more time; it is theirs again until then, and they are reminded anew."""
    reason = _check(actor, reason)
    first = today(now)
    if not first <= due_on or (due_on - first).days > LONGEST_DAYS:
        raise AttestationError(f"Choose a day from today to {LONGEST_DAYS} days ahead.", field="due_on")
    with transaction.atomic():
        mine = Sheet.objects.filter(pk=sheet.pk, state__in=WAITING, due_on=sheet.due_on)
        if not mine.update(state=SheetState.OPEN, due_on=due_on, told=0, version=F("version") + 1):
            raise Overtaken("This sheet was answered or given more time meanwhile. Look at it again.")
        record(
            actor=actor,
            verb="attestation.extended",
            subject=sheet,
            at=now,
            before={"due_on": sheet.due_on},
            after={"due_on": due_on},
            reason=reason,
        )


def mark_overdue(*, now: datetime) -> list[Sheet]:
    """Pass sheets whose day is over on to the administrators; returns them."""
    late = Sheet.objects.filter(state=SheetState.OPEN, due_on__lt=today(now), round__open_mark=True)
    moved = []
    for sheet in late.select_related("owner", "round").order_by("pk"):
        with transaction.atomic():
            mine = Sheet.objects.filter(pk=sheet.pk, state=SheetState.OPEN, due_on=sheet.due_on)
            if mine.update(state=SheetState.OVERDUE, version=F("version") + 1):
                record(
                    actor=None,
                    verb="attestation.overdue",
                    subject=sheet,
                    at=now,
                    after={"due_on": sheet.due_on},
                )
                moved.append(sheet)
    return moved


def _check(actor: User, reason: str) -> str:
    if not actor.can("attestation.manage"):
        raise Refused("Only an administrator does this.")
    reason = " ".join(reason.split())
    if not reason:
        raise AttestationError("Say why. It goes on record.", field="reason")
    if len(reason) > LONGEST_REASON:
        raise AttestationError(f"Keep the reason to {LONGEST_REASON} characters.", field="reason")
    return reason
