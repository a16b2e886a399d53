"""Reading the audit log: filtered events, newest first, and what each one says."""

import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from numbersadmin.audit.models import AuditEvent, KindOf
from numbersadmin.audit.words import Words, page_of
from numbersadmin.audit.words import words_of as words_of  # also for other apps
from numbersadmin.rows import Beyond, beginning, by_index_only

PAGE = 50
FEW = 10_000  # so many events of a number's beginning are sorted in no time
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
    found = _apart_from_text(filters, only)
    return found.filter(reduce(or_, _about(filters.q))) if filters.q else found


def _apart_from_text(filters: Filters, only: str) -> QuerySet[AuditEvent]:
    found = AuditEvent.objects.order_by("-at", "-id")
    if only:
        found = found.filter(actor=only)
    if filters.who:
        found = found.filter(actor=filters.who)
    if filters.what:
        found = found.alias(kind=KindOf("verb")).filter(kind=filters.what)
    if filters.hide_syncs:
        found = found.exclude(subject_type="syncrun")
    if filters.since:
        found = found.filter(at__gte=filters.since)
    if filters.until:
        found = found.filter(at__lt=filters.until)
    return found


def _about(q: str) -> list[Q]:
    """What a text may mean: a phone number in any notation by its first digits, an order and its items."""
    number = _number(q)
    about = [beginning(number) if number[0].isalnum() else Q(number=number)]
    if order := _ORDER.fullmatch(q.strip()):
        key = int(order[1])
        about += [Q(subject_type="order", subject_id=key), Q(related_type="order", related_id=key)]
    return about


def _number(q: str) -> str:
    digits = re.sub(r"[\s+().-]+", "", q).removeprefix("00")
    return digits if digits.isdigit() else q


def page(filters: Filters, *, only: str = "", before: str = "") -> LogPage:
    """One page of events; `before` is the `older` of the page before it (anything else is ignored)."""
    found = _apart_from_text(filters, only)
    cursor = _CURSOR.fullmatch(before)
    at = parse_datetime(cursor[1]) if cursor else None
    if cursor and at and timezone.is_aware(at):
        found = found.filter(Beyond([F("at"), F("id")], [Value(at), Value(int(cursor[2]))], sign="<"))
    with by_index_only() if filters.q else nullcontext():
        parts = _parts(found, filters.q)  # the newest of all are among the newest of each
        newest = [pk for part in parts for pk in part.values_list("pk", flat=True)[: PAGE + 1]]
    rows = list(AuditEvent.objects.filter(pk__in=newest).order_by("-at", "-id")[: PAGE + 1])
    older = (
        f"{rows[PAGE - 1].at.isoformat().replace('+00:00', 'Z')}_{rows[PAGE - 1].pk}"
        if len(rows) > PAGE
        else ""
    )
    return LogPage(list(_lines(rows[:PAGE])), older)


def _parts(found: QuerySet[AuditEvent], q: str) -> list[QuerySet[AuditEvent]]:
    """Those of the events that a text means, for each of its meanings.

    A database is told which way to go (an expression is in no index): a few are looked up by their number and
    sorted, many are soon met with on the way back in time.
    """
    if not q:
        return [found]
    number, *order = _about(q)
    if AuditEvent.objects.filter(number).order_by("number").values("pk")[FEW : FEW + 1]:
        plain = found.alias(plain=Coalesce("number", "number"))
        of_number: QuerySet[Any] = plain.filter(plain__startswith=_number(q))
    else:
        of_number = found.filter(number).order_by(*(Coalesce(key, key).desc() for key in ("at", "id")))
    return [of_number, *(found.filter(one) for one in order)]


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


def export_rows(found: QuerySet[AuditEvent]) -> Iterator[dict[str, Any]]:
    """Events as exported: at, actor, verb, subject, before, after, reason, request_id."""
    yield from found.values(*EXPORTED).iterator(chunk_size=1000)
