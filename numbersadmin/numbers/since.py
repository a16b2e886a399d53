"""Since when a number is ours and until when, in words that always say how we know it."""

from datetime import date, datetime, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from numbersadmin.formats import when
from numbersadmin.numbers.models import AcquiredBasis, EndBasis


class Acquired(Protocol):
    """Anything that tells when a number became ours (models.OwnedNumber, selectors.NumberRow)."""

    @property
    def acquired_at(self) -> datetime | None: ...
    @property
    def acquired_from(self) -> datetime | None: ...
    @property
    def acquired_to(self) -> datetime: ...
    @property
    def acquired_basis(self) -> str: ...
    @property
    def acquired_note(self) -> str: ...


def between(start: datetime, end: datetime) -> str:
    """`between 12 and 15 Oct 2026`, with as much of the month and year as is needed to tell them apart."""
    first, last = timezone.localtime(start), timezone.localtime(end)
    if first.date() == last.date():
        return f"between {when(start, 'clock')} and {when(end, 'clock_zone')} on {when(end, 'date')}"
    if (first.year, first.month) == (last.year, last.month):
        return f"between {first.day} and {when(end, 'date')}"
    if first.year == last.year:
        return f"between {first.day} {first:%b} and {when(end, 'date')}"
    return f"between {when(start, 'date')} and {when(end, 'date')}"


def acquired(number: Acquired) -> str:
    """Since when, and how we know: `about 14 Oct 2026 (inferred from the first month's price, ±1 day)`."""
    basis, at = number.acquired_basis, number.acquired_at
    if at and basis == AcquiredBasis.PURCHASED_HERE:
        return when(at, "full")
    if at and basis == AcquiredBasis.INFERRED:
        return f"about {when(at, 'date')} (inferred from the first month's price, ±1 day)"
    if at and basis == AcquiredBasis.STATED:
        return f"{when(at, 'date')} (entered by {number.acquired_note or 'a person'})"
    if basis == AcquiredBasis.UNKNOWN:
        return f"before {when(number.acquired_to, 'date')} (already owned when records began)"
    if number.acquired_from:
        return between(number.acquired_from, number.acquired_to)
    return f"on or before {when(at or number.acquired_to, 'date')}"


def acquired_short(number: Acquired) -> str:
    """The same for a column: `14 Oct 2026`, `about 14 Oct 2026`, `by 15 Oct 2026` when only that much is known."""
    if not number.acquired_at:
        return f"by {when(number.acquired_to, 'date')}"
    about = "about " if number.acquired_basis == AcquiredBasis.INFERRED else ""
    return about + when(number.acquired_at, "date")


def acquired_sentence(number: Acquired) -> str:
    """The same for the line under a heading: `bought here 14 Oct 2026, 09:12 UTC`."""
    verbs = {
        AcquiredBasis.PURCHASED_HERE: "bought here",
        AcquiredBasis.STATED: "ours since",
        AcquiredBasis.UNKNOWN: "ours since",
    }
    return f"{verbs.get(AcquiredBasis(number.acquired_basis), 'became ours')} {acquired(number)}"


def ended(basis: str, ended_from: datetime | None, ended_to: datetime) -> str:
    """Until when, and how we know: `cancelled here 3 Oct 2026, 14:00 UTC`."""
    if basis == EndBasis.CANCELLED_HERE:
        return f"cancelled here {when(ended_to, 'full')}"
    if basis == EndBasis.STATED and ended_from:
        return f"confirmed gone by a person, {between(ended_from, ended_to)}"
    if ended_from:
        return f"gone from the provider's list {between(ended_from, ended_to)}"
    return f"gone from the provider's list by {when(ended_to, 'full')}"


def billing_zone() -> tzinfo:
    """The time zone in which months are charged."""
    return ZoneInfo(settings.BILLING_TIME_ZONE)


def billing_day(moment: datetime | None) -> date | None:
    """The day of a moment as months are charged; None for a moment we do not know."""
    return None if moment is None else moment.astimezone(billing_zone()).date()
