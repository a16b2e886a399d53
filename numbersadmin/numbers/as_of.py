"""A phone number as it was at a moment: was it ours, what the provider said of it, and whose it was.

Looks are some minutes or days apart. What happened between two of them is told as that, not as one or the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone

from numbersadmin.accounts.models import User
from numbersadmin.audit.models import AuditEvent
from numbersadmin.formats import capability_label, money_text, type_name, when
from numbersadmin.numbers import since
from numbersadmin.numbers.models import AcquiredBasis, EndBasis, Facts, NumberVersion, OwnedNumber

OWNED, MISSING, UNKNOWN, ENDED, NOT_OURS = "owned", "missing", "unknown", "ended", "not_ours"
BEST_FIRST = (OWNED, MISSING, UNKNOWN, ENDED, NOT_OURS)  # which of several possessions tells the state
PRESENCE = ("number.missing", "number.found_again", "number.disappeared", "number.reappeared")
PEOPLES = ("owner", "cost_centre", "labels", "protected")
EXACT = (AcquiredBasis.PURCHASED_HERE, AcquiredBasis.STATED)
FACTS = {
    "price_per_month": "Price per month",
    "setup_price": "Set-up price",
    "currency": "Currency",
    "capabilities": "Can do",
    "type": "Type",
    "shared": "Sharing",
    "number_key": "Key",
}


class NoSuchDay(Exception):
    """The text names no day that has come; the message says what to write."""


@dataclass(frozen=True, slots=True)
class State:
    """Was the number ours, in words; `record` is the possession that says so."""

    state: str
    words: str
    record: OwnedNumber


@dataclass(frozen=True, slots=True)
class Seen:
    """What the page shows of a number, now or as of a day. `facts` is None where none are on record.

    `doubts`: what changed between two looks around that moment, a sentence each.
    """

    record: OwnedNumber
    facts: Facts | None
    owner: str
    cost_centre: str
    labels: Sequence[str]
    state: str = ""
    words: str = ""
    day: date | None = None
    until: datetime | None = None
    protected: bool = False
    doubts: list[str] = field(default_factory=list)


def day_of(text: str, now: datetime) -> date:
    """The day that a person means. Raises NoSuchDay."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise NoSuchDay(f"“{text[:40]}” is no day. Write it as {timezone.localtime(now):%Y-%m-%d}.") from None
    if day > timezone.localtime(now).date():
        raise NoSuchDay(f"{when(day)} has not come yet.")
    return day


def end_of(day: date, now: datetime) -> datetime:
    """The last moment of a day where people are, or now if that is earlier."""
    if day >= timezone.localtime(now).date():
        return now
    after = datetime.combine(day + timedelta(days=1), time(), timezone.get_current_timezone())
    return min(after.astimezone(now.tzinfo) - timedelta(microseconds=1), now)


def as_it_is(record: OwnedNumber) -> Seen:
    """The number as its record says now."""
    owner = record.owner.display_name if record.owner else ""
    return Seen(record, record, owner, record.cost_centre, record.labels, protected=bool(record.protected_at))


def as_of(every: Iterable[OwnedNumber], day: date, moment: datetime, records_begin: datetime | None) -> Seen:
    """The number at a moment; `every` is every time it was ours, newest first, at least one."""
    verdicts = [_state(record, moment, records_begin) for record in every]
    best = min(verdicts, key=lambda one: BEST_FIRST.index(one.state))
    if best.state == NOT_OURS:  # the one that is nearest: the first after that day
        best = verdicts[-1]
    record = best.record
    held = moment >= _surely(record)
    facts, after = _facts(record, moment) if held else (None, None)
    whose = _people(record, moment) if held else dict.fromkeys(PEOPLES)
    return Seen(
        record=record,
        facts=facts,
        owner=_name(whose["owner"]),
        cost_centre=whose["cost_centre"] or "",
        labels=whose["labels"] or [],
        state=best.state,
        words=best.words,
        day=day,
        until=moment,
        protected=bool(whose["protected"]),
        doubts=_doubts(facts, after, moment),
    )


# Was it ours --------------------------------------------------------------------------------------------------------


def _surely(record: OwnedNumber) -> datetime:
    """From when on it was surely ours."""
    known = record.acquired_at if record.acquired_basis in EXACT else None
    return known or record.acquired_to


def _state(record: OwnedNumber, moment: datetime, records_begin: datetime | None) -> State:
    if moment < _surely(record):
        return _before(record, moment, records_begin)
    if record.ended_to and moment >= record.ended_to:
        return State(
            ENDED, f"It was {since.ended(record.end_basis, record.ended_from, record.ended_to)}.", record
        )
    observed = record.ended_to if record.end_basis == EndBasis.DISAPPEARED else None
    if observed and (record.ended_from is None or moment >= record.ended_from):
        words = since.ended(record.end_basis, record.ended_from, observed)
        return State(UNKNOWN, f"It was {words}: on this day nobody looked.", record)
    return _presence(record, moment)


def _before(record: OwnedNumber, moment: datetime, records_begin: datetime | None) -> State:
    """Before it was surely ours: not yet, or nobody knows."""
    if record.acquired_from and moment > record.acquired_from:
        words = f"It became ours {since.acquired(record)}: on this day nobody looked."
        return State(UNKNOWN, words, record)
    looked = record.acquired_from or record.acquired_basis == AcquiredBasis.PURCHASED_HERE
    if looked and records_begin and moment >= records_begin:
        return State(NOT_OURS, f"It became ours {since.acquired(record)}.", record)
    begin = records_begin or record.acquired_to
    return State(UNKNOWN, f"Records began {when(begin, 'full')}. What was before is not known.", record)


def _presence(record: OwnedNumber, moment: datetime) -> State:
    """While it was ours: on the list, or missing from it, as its events say."""
    events = AuditEvent.objects.filter(
        subject_type=OwnedNumber._meta.model_name, subject_id=record.pk, verb__in=PRESENCE, at__lte=moment
    )
    last = events.order_by("-at", "-id").values_list("verb", "at").first()
    if last and last[0] == "number.missing":
        words = f"Absent from the purchased list since {when(last[1], 'full')}, not confirmed gone."
        return State(MISSING, words, record)
    if last and last[0] == "number.disappeared":  # it came back: the record goes on
        words = f"Gone from the purchased list since {when(last[1], 'full')}, back later: probably never cancelled."
        return State(UNKNOWN, words, record)
    return State(OWNED, f"Ours since {since.acquired(record)}.", record)


# What the provider said ---------------------------------------------------------------------------------------------


def _facts(record: OwnedNumber, moment: datetime) -> tuple[NumberVersion | None, NumberVersion | None]:
    """The facts last read by then, and those that came after them."""
    versions = record.versions.defer("raw")
    before = versions.filter(valid_from__lte=moment).order_by("-valid_from").first()
    after = versions.filter(valid_from__gt=moment).order_by("valid_from").first()
    if before is None and after and record.acquired_to <= moment:
        return after, None  # a possession is written down some moments after the look that found it
    return before, after


def _doubts(facts: NumberVersion | None, after: NumberVersion | None, moment: datetime) -> list[str]:
    """What may have changed by then already: the next facts came into force between two looks around it."""
    if facts is None or after is None or after.not_before is None or after.not_before > moment:
        return []
    found = []
    for name, label in FACTS.items():
        old, new = getattr(facts, name), getattr(after, name)
        if old != new:
            words = since.between(after.not_before, after.valid_from)
            found.append(f"{label} changed {words}, from {_told(facts, name)} to {_told(after, name)}.")
    return found


def _told(facts: Facts, name: str) -> str:
    value: Any = getattr(facts, name)
    if name in ("price_per_month", "setup_price"):
        return "unknown" if value is None or not facts.currency else money_text(value, facts.currency)
    if name == "capabilities":
        return " and ".join(capability_label(one) for one in facts.capability_list) or "nothing"
    if name == "shared":
        return "shared with others" if value else "ours alone"
    return type_name(value) if name == "type" else str(value) or "unknown"


# Whose it was -------------------------------------------------------------------------------------------------------


def _people(record: OwnedNumber, moment: datetime) -> dict[str, Any]:
    """Owner (user name), cost centre, labels and protection, with every later change taken back."""
    known: dict[str, Any] = {
        "owner": record.owner.username if record.owner else None,
        "cost_centre": record.cost_centre,
        "labels": record.labels,
        "protected": bool(record.protected_at),
    }
    later = AuditEvent.objects.filter(
        subject_type=OwnedNumber._meta.model_name, subject_id=record.pk, at__gt=moment, before__isnull=False
    )
    for before in later.order_by("-at", "-id").values_list("before", flat=True):
        known |= {name: value for name, value in (before or {}).items() if name in PEOPLES}
    return known


def _name(username: Any) -> str:
    if not username:
        return ""
    person = User.objects.filter(username=username).first()
    return person.display_name if person else str(username)
