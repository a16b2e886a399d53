"""Reading the audit log: filtered events, newest first, and what each one says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from numbersadmin.audit.models import AuditEvent, Seal
from numbersadmin.audit.words import Words, page_of
from numbersadmin.audit.words import words_of as words_of  # also for other apps

PAGE = 50
EXPORTED = ("at", "actor", "verb", "subject", "before", "after", "reason", "request_id")
_ORDER = re.compile(r"(?:order\s*)?#?(\d{1,9})", re.IGNORECASE)
_CURSOR = re.compile(r"([0-9T:.+Z-]{1,40})_(\d{1,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What to show. `since` and `until` (exclusive) are moments; `who` is a name as recorded."""

    q: str = ""
    what: str = ""
    who: str = ""
    since: datetime | None = None
    until: datetime | None = None
    hide_syncs: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One field before and after, as text; empty where there was nothing."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Line:
    """One event as the page shows it. `effect` is what it changes per month, signed."""

    event: AuditEvent
    words: Words
    url: str
    page: str
    day: date | None  # set on the first event of a day
    changes: list[Change]
    effect: Decimal | None
    currency: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some events and the place where older ones begin."""

    lines: list[Line]
    older: str


def events(filters: Filters, *, only: str = "") -> QuerySet[AuditEvent]:
    """Events that fit, newest first; `only` restricts them to what one person did."""
    found = AuditEvent.objects.order_by("-at", "-id")
    if only:
        found = found.filter(actor=only)
    if filters.who:
        found = found.filter(actor=filters.who)
    if filters.what:
        found = found.filter(verb__startswith=f"{filters.what}.")
    if filters.hide_syncs:
        found = found.exclude(subject_type="syncrun")
    if filters.since:
        found = found.filter(at__gte=filters.since)
    if filters.until:
        found = found.filter(at__lt=filters.until)
    return found.filter(_about(filters.q)) if filters.q else found


def _about(q: str) -> Q:
    """An order by its number, or a phone number in any notation by its first digits."""
    digits = re.sub(r"[\s+().-]+", "", q).removeprefix("00")
    about = Q(number=q) | (Q(number__startswith=digits) if digits else Q())
    if order := _ORDER.fullmatch(q.strip()):
        key = int(order[1])
        about |= Q(subject_type="order", subject_id=key) | Q(related_type="order", related_id=key)
    return about


def page(filters: Filters, *, only: str = "", before: str = "") -> LogPage:
    """One page of events; `before` is the `older` of the page before it (anything else is ignored)."""
    found = events(filters, only=only)
    cursor = _CURSOR.fullmatch(before)
    at = parse_datetime(cursor[1]) if cursor else None
    if cursor and at and timezone.is_aware(at):
        found = found.filter(Q(at__lt=at) | Q(at=at, id__lt=int(cursor[2])))
    rows = list(found[: PAGE + 1])
    older = (
        f"{rows[PAGE - 1].at.isoformat().replace('+00:00', 'Z')}_{rows[PAGE - 1].pk}"
        if len(rows) > PAGE
        else ""
    )
    return LogPage(list(_lines(rows[:PAGE])), older)


def _lines(rows: list[AuditEvent]) -> Iterator[Line]:
    day = None
    for row in rows:
        today = timezone.localtime(row.at).date()
        url, name = page_of(row)
        effect, currency = _effect(row)
        yield Line(
            row,
            words_of(row.verb),
            url,
            name,
            today if today != day else None,
            changes_of(row),
            effect,
            currency,
        )
        day = today


def latest(count: int, *, only: str = "") -> list[Line]:
    """The last few events that a person may care about, each thing that happened once."""
    quiet = (
        "sync.finished",
        "user.signed_in",
        "user.signed_out",
        "item.executing",
        "item.bought",
        "item.cancelled",
        "audit.sealed",
        "audit.verified",
    )
    return list(_lines(list(events(Filters(), only=only).exclude(verb__in=quiet)[:count])))


def changes_of(event: AuditEvent) -> list[Change]:
    """Every field that the event names, before and after."""
    before, after = event.before or {}, event.after or {}
    return [Change(_field(key), _text(before.get(key)), _text(after.get(key))) for key in {**before, **after}]


def _field(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_text(inner) for inner in value)
    if isinstance(value, dict):
        return ", ".join(f"{_field(key).lower()} {_text(inner)}" for key, inner in value.items())
    return str(value)


def _effect(event: AuditEvent) -> tuple[Decimal | None, str]:
    """What an event of a number changes per month, with its currency."""
    if event.subject_type != "ownednumber":
        return None, ""
    before, after = event.before or {}, event.after or {}
    old, new = _price(before), _price(after)
    if event.verb in ("number.cancelled", "number.disappeared") and old is not None:
        return -old, before.get("currency", "")
    if event.verb in ("number.purchased", "number.appeared", "number.adopted", "number.reacquired"):
        return new, after.get("currency", "")
    return None, ""


def _price(facts: dict[str, Any]) -> Decimal | None:
    try:
        return Decimal(facts["price_per_month"])
    except (KeyError, TypeError, InvalidOperation):
        return None


@dataclass(frozen=True, slots=True)
class Sealed:
    """The newest seal, and what the last verification of all seals found; None before the first one."""

    seal: Seal
    verified: AuditEvent | None

    @property
    def broken(self) -> bool:
        """Did the last verification find that something was changed?"""
        return self.verified is not None and self.verified.verb == "audit.broken"


def sealed() -> Sealed | None:
    """How far the log is sealed; None while it is not."""
    if (last := Seal.objects.order_by("number").last()) is None:
        return None
    told = AuditEvent.objects.filter(verb__in=("audit.verified", "audit.broken"))
    return Sealed(last, told.order_by("-at", "-id").first())


def export_rows(found: QuerySet[AuditEvent]) -> Iterator[dict[str, Any]]:
    """Events as exported: at, actor, verb, subject, before, after, reason, request_id."""
    yield from found.values(*EXPORTED).iterator(chunk_size=1000)
