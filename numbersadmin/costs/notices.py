"""Who is written to when a month is closed or is to be opened again. A lost mail loses nothing: the pages tell it."""

from collections.abc import Iterator

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from numbersadmin.accounts.models import User
from numbersadmin.accounts.selectors import holders_of
from numbersadmin.accounts.services import mails
from numbersadmin.costs.figures import totals_in
from numbersadmin.costs.models import AskState, MonthClose, ReopenAsk
from numbersadmin.costs.months import Month
from numbersadmin.formats import money_text

Mails = list[EmailMessage]


def closed(row: MonthClose) -> Mails:
    """To finance and administrators: what was closed, with the digest, which is then on record outside as well."""
    label = Month.parse(row.month).label

    def write(_: User) -> Iterator[str]:
        yield f"{row.by.display_name} has closed {label}, revision {row.revision}."
        yield ""
        for currency, amount in totals_in(row.totals).items():
            yield f"  {money_text(amount, currency)}"
        yield f"  {row.lines} line{'s' * (row.lines != 1)}" + (
            f", {row.unpriced} without a price" if row.unpriced else ""
        )
        yield from ("", f"SHA-256 of the lines: {row.sha256}", "", _link("costs-closed", row.month))

    return mails(holders_of("costs.reopen"), f"{label} is closed", write)


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
