"""Who is written to about an attestation. A lost mail loses nothing: the overview and the menu tell it all."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from numbersadmin.accounts.models import User
from numbersadmin.accounts.selectors import holders_of
from numbersadmin.accounts.services import mails
from numbersadmin.attestation.models import Line, LineState, Sheet, SheetState, Verdict
from numbersadmin.attestation.opening import today
from numbersadmin.formats import phone_intl, when

Mails = list[EmailMessage]
OPENED, SOON, LAST_DAY = 1, 2, 3  # what `Sheet.told` counts to
SOON_DAYS = timedelta(days=3)
AT_A_TIME = 20  # sheets are claimed and written about
NAMED = 10


def reminders(now: datetime) -> Iterator[Mails]:
    """Mails to owners whose sheet was opened, is due in three days, or is due today: some sheets at a time.

    Each occasion is claimed before its mail is made, so that no two processes write twice.
    """
    day = today(now)
    waiting = Sheet.objects.filter(
        state=SheetState.OPEN, round__open_mark=True, round__ready_at__isnull=False, told__lt=LAST_DAY
    ).select_related("owner", "round")
    made: Mails = []
    for sheet in waiting.order_by("pk"):
        stage = LAST_DAY if day >= sheet.due_on else SOON if day >= sheet.due_on - SOON_DAYS else OPENED
        if stage <= sheet.told:
            continue
        if not Sheet.objects.filter(pk=sheet.pk, told=sheet.told, state=SheetState.OPEN).update(told=stage):
            continue
        made += _reminder(sheet, stage)
        if len(made) >= AT_A_TIME:
            yield made
            made = []
    if made:
        yield made


def _reminder(sheet: Sheet, stage: int) -> Mails:
    count = sheet.lines.count()
    numbers = f"{count} number{'s' * (count != 1)}"
    people = (
        [sheet.owner] if sheet.owner and sheet.owner.is_active else list(holders_of("attestation.manage"))
    )
    whose = (
        "your" if sheet.owner in people else f"{sheet.owner.display_name}'s" if sheet.owner else "nobody's"
    )
    until = when(sheet.due_on, "date")
    subject = {
        OPENED: f"Say by {until} which of {whose} {numbers} to keep",
        SOON: f"Until {until}: which of {whose} {numbers} to keep?",
        LAST_DAY: f"Today is the last day: which of {whose} {numbers} to keep?",
    }[stage]

    def write(_: User) -> Iterator[str]:
        yield f"For each of {whose} {numbers}, say whether to keep it, hand it over or give it back."
        yield "What you choose is noted as you go. Nothing happens before you answer the sheet."
        yield f"After {until} an administrator decides instead."
        yield from ("", link("attestation-sheet", sheet.pk))

    return mails(people, subject, write)


def overdue(sheets: Sequence[Sheet]) -> Mails:
    """To administrators: these sheets were not answered in time."""
    if not sheets:
        return []
    names = [sheet.owner.display_name if sheet.owner else "nobody's numbers" for sheet in sheets]

    def write(_: User) -> Iterator[str]:
        yield "Not answered in time:"
        yield from (f"  {name}" for name in names[:NAMED])
        if len(names) > NAMED:
            yield f"  and {len(names) - NAMED} more"
        yield "Answer for them, or give them more time."
        yield from ("", link("attestation-round", sheets[0].round_id))

    title = names[0] if len(names) == 1 else f"{len(names)} sheets"
    return mails(holders_of("attestation.manage"), f"Attestation: {title} not answered in time", write)


def handed(sheet: Sheet) -> Mails:
    """To each person to whom numbers of a sheet were handed over and wait."""
    lines = sheet.lines.filter(state=LineState.HANDING).select_related("owned_number", "to_person")
    by_person: dict[int, list[Line]] = {}
    for line in lines.order_by("pk"):
        by_person.setdefault(line.to_person_id or 0, []).append(line)
    made: Mails = []
    for mine in by_person.values():
        numbers = _what(mine)
        who = sheet.answered_by.display_name if sheet.answered_by else "Somebody"

        def write(_: User, mine: list[Line] = mine) -> Iterator[str]:
            yield "Take them over, or refuse. Until then they stay where they are."
            yield from _named(mine)
            yield from ("", link("attestation"))

        if mine[0].to_person:
            made += mails([mine[0].to_person], f"{who} hands you over {numbers}", write)
    return made


def returned(lines: Sequence[Line]) -> Mails:
    """To those whose numbers were not taken over: who refused, why, and that they keep them."""
    by_sheet: dict[int, list[Line]] = {}
    for line in lines:
        by_sheet.setdefault(line.sheet_id, []).append(line)
    made: Mails = []
    for mine in by_sheet.values():
        refused = mine[0].decisions.filter(verdict=Verdict.REFUSED).select_related("by").first()
        owner = mine[0].sheet.owner
        if refused is None or owner is None:
            continue
        why = refused.reason

        def write(_: User, mine: list[Line] = mine, why: str = why) -> Iterator[str]:
            yield from ("They stay with you. Why:", f"> {why}")
            yield from _named(mine)
            yield from ("", link("attestation-sheet", mine[0].sheet_id))

        made += mails([owner], f"{refused.by.display_name} does not take over {_what(mine)}", write)
    return made


def _what(lines: Sequence[Line]) -> str:
    return phone_intl(lines[0].owned_number.number) if len(lines) == 1 else f"{len(lines)} numbers"


def _named(lines: Sequence[Line]) -> Iterable[str]:
    yield ""
    yield from (f"  {phone_intl(line.owned_number.number)}" for line in lines[:NAMED])
    if len(lines) > NAMED:
        yield f"  and {len(lines) - NAMED} more"


def link(name: str, *of: int) -> str:
    """The address of one of our pages, as it stands in a mail."""
    return f"{settings.PUBLIC_URL}{reverse(name, args=of)}"
