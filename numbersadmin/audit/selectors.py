"""Reading the audit log: filtered events, newest first, and what each one says."""

import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import reduce
from operator import or_
from typing import Any

from django.db import connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from numbersadmin.audit.models import AuditEvent, KindOf, Seal
from numbersadmin.audit.words import Words, page_of
from numbersadmin.audit.words import words_of as words_of  # also for other apps
from numbersadmin.rows import beginning, by_index_only

PAGE = 50
FEW = 10_000  # so many events of a number's beginning are sorted in no time
EXPORTED = ("at", "actor", "verb", "subject", "before", "after", "reason", "request_id")
_ORDER = re.compile(r"(?:order\s*)?#?(\d{1,9})", re.IGNORECASE)
_COLUMNS = {"at": F("at"), "actor": F("actor"), "kind": KindOf("verb")}
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


def _apart_from_text(filters: Filters, only: str, by: Sequence[str] = tuple(_COLUMNS)) -> QuerySet[Any]:
    """Newest first. The database may look up and follow only the columns of `by`: an expression is in no index."""
    found: QuerySet[Any] = AuditEvent.objects.alias(
        **{f"the_{name}": one if name in by else Coalesce(one, one) for name, one in _COLUMNS.items()}
    )
    for actor in filter(None, (only, filters.who)):
        found = found.filter(the_actor=actor)
    if filters.what:
        found = found.filter(the_kind=filters.what)
    if filters.hide_syncs:
        found = found.exclude(subject_type="syncrun")
    if filters.since:
        found = found.filter(the_at__gte=filters.since)
    if filters.until:
        found = found.filter(the_at__lt=filters.until)
    return found.order_by("-the_at", "-id")


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
    older = [Q()]
    cursor = _CURSOR.fullmatch(before)
    at = parse_datetime(cursor[1]) if cursor else None
    if (
        cursor and at and timezone.is_aware(at)
    ):  # an index finds what is of the same moment, and what is older
        older = [Q(the_at=at, pk__lt=int(cursor[2])), Q(the_at__lt=at)]
        if filters.until and at <= filters.until:
            filters = replace(filters, until=None)
    with by_index_only() if filters.q else nullcontext():
        parts = [part.filter(one) for part in _parts(filters, only) for one in older]
        # the newest of all are among the newest of each
        newest = [pk for part in parts for pk in part.values_list("pk", flat=True)[: PAGE + 1]]
    rows = list(AuditEvent.objects.filter(pk__in=newest).order_by("-at", "-id")[: PAGE + 1])
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    mark = f"{last.at.isoformat().replace('+00:00', 'Z')}_{last.pk}" if last else ""
    return LogPage(list(_lines(rows[:PAGE])), mark)


def _parts(filters: Filters, only: str) -> list[QuerySet[Any]]:
    """Events that fit, newest first, one part for each meaning of the text.

    The database is told which way to go. A few are looked up and sorted; many are met with soon on the way back in
    time. Of a kind and a person, PostgreSQL knows which has fewer; SQLite takes the kind when that has few.
    """
    by = tuple(_COLUMNS)
    if connection.vendor == "sqlite" and filters.what and (only or filters.who):
        by = ("at", "actor" if _many(_apart_from_text(Filters(what=filters.what), "")) else "kind")
    if not filters.q:
        return [_apart_from_text(filters, only, by)]
    looked_up = _apart_from_text(filters, only, by=())
    number, *order = _about(filters.q)
    parts = [looked_up.filter(one) for one in order]
    if not _many(AuditEvent.objects.filter(number).order_by("number")):
        return [looked_up.filter(number), *parts]
    on_the_way = _apart_from_text(filters, only, by).alias(plain=Coalesce("number", "number"))
    return [on_the_way.filter(plain__startswith=_number(filters.q)), *parts]


def _many(found: QuerySet[Any]) -> bool:
    return bool(found.values("pk")[FEW : FEW + 1])


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
