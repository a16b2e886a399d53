"""Mails to people: one for each reader, and handing them over. A lost mail loses nothing: pages tell it all."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils import timezone

from numbersadmin.accounts.models import User
from numbersadmin.formats import NBSP

logger = logging.getLogger(__name__)

LONGEST_SUBJECT = 120
SEND_SECONDS = 45.0  # for the mails of one occasion; what is left then is not sent


def mails(people: Iterable[User], subject: str, write: Callable[[User], Iterable[str]]) -> list[EmailMessage]:
    """One mail for each of these people who is active and has an address; `write` gives the lines of its text.

    Each is written in its reader's time zone, and addressed to its reader alone.
    """
    made = []
    for person in {person.pk: person for person in people}.values():
        if not (person.is_active and person.email):
            continue
        with timezone.override(ZoneInfo(person.time_zone or settings.TIME_ZONE)):
            text = "\n".join(write(person)).replace(NBSP, " ").strip()
        made.append(
            EmailMessage(
                subject=one_line(subject),
                body=f"{text}\n",
                to=[person.email],
                headers={"Auto-Submitted": "auto-generated"},  # no answer from who is away
            )
        )
    return made


def one_line(text: str) -> str:
    """Text that may stand in a header: what people wrote can hold line breaks."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= LONGEST_SUBJECT else f"{line[: LONGEST_SUBJECT - 1]}…"


def send(messages: Sequence[EmailMessage]) -> int:
    """Hand them to the mail server over one connection; how many it took. What fails is logged, never raised."""
    if not messages:
        return 0
    connection, sent, ends = get_connection(), 0, time.monotonic() + SEND_SECONDS
    for message in messages:
        if time.monotonic() > ends:
            logger.warning("%d mails are not sent: the mail server is too slow", len(messages) - sent)
            break
        try:
            sent += connection.send_messages([message]) or 0
        except (OSError, ValueError) as error:  # smtplib's own errors are OSErrors
            logger.warning("a mail (%s) was not sent: %s: %s", message.subject, type(error).__name__, error)
            _close(connection)  # the next one gets a connection of its own
    _close(connection)
    return sent


def _close(connection: object) -> None:
    with contextlib.suppress(OSError):
        connection.close()  # type: ignore[attr-defined]
