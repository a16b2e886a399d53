"""Who is written to when a month is to be opened again. A lost mail loses nothing: the pages tell it."""

from collections.abc import Iterator

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from numbersadmin.accounts.models import User
from numbersadmin.accounts.selectors import holders_of
from numbersadmin.accounts.services import mails
from numbersadmin.costs.models import AskState, ReopenAsk
from numbersadmin.costs.months import Month

Mails = list[EmailMessage]


def asked(ask: ReopenAsk) -> Mails:
    """To those who may be the second person."""
    label = Month.parse(ask.month).label
    others = [one for one in holders_of("costs.reopen") if one.pk != ask.asked_by_id]

    def write(_: User) -> Iterator[str]:
        yield f"{ask.asked_by.display_name} asks to reopen {label} for corrections. Why:"
        yield from (f"> {line}" for line in ask.reason.splitlines())
        yield from ("", "Another person confirms or refuses.", _link("costs-reopening", ask.pk))

    return mails(others, f"Reopen {label}?", write)


def decided(ask: ReopenAsk) -> Mails:
    """To the person who asked, when somebody else has decided."""
    label = Month.parse(ask.month).label
    if ask.decided_by is None or ask.state == AskState.WITHDRAWN:
        return []
    who, done = ask.decided_by.display_name, ask.state == AskState.CONFIRMED
    subject = f"{label} is open for corrections" if done else f"{label} stays closed"

    def write(_: User) -> Iterator[str]:
        yield f"{who} has {'confirmed' if done else 'refused'} it."
        yield from (f"> {line}" for line in ask.decision_reason.splitlines())
        yield from ("", _link("costs-closed", ask.month))

    return mails([ask.asked_by], subject, write)


def _link(name: str, argument: str | int) -> str:
    return f"{settings.PUBLIC_URL}{reverse(name, args=[argument])}"
