"""What one run found, for its page: numbers that appeared, changed, went missing, were found or ended."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Count, QuerySet

from numbersadmin.audit.models import AuditEvent
from numbersadmin.formats import capability_label, money_text, type_name
from numbersadmin.numbers.models import OwnedNumber
from numbersadmin.sync.models import RunStatus, SyncRun
from numbersadmin.sync.selectors import RunRow, run_row

LONG = 80  # characters
SHOWN = 100  # rows of a section; the audit log has all of them
CHANGES = {
    "number.price_changed": "Price",
    "number.capabilities_changed": "Can do",
    "number.attributes_changed": "Details",
    "number.key_changed": "Provider key",
}
ORIGINS = {
    "number.appeared": "Not ordered here. Bought in the portal or by another system.",
    "number.reacquired": "Was ours before. Bought again in the portal or by another system.",
    "number.reappeared": "Had disappeared; back under the same key.",
    "number.back_after_cancel": "Cancelled here, but on the list again.",
    "number.listed_twice": "On the list twice, under two keys.",
}
FIRST_RUN = "Already ours when records began."
GONE = ("number.disappeared", "number.cancelled")


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a section. `before` and `after` are words; `effect` is per month, None when it tells nothing."""

    owned: OwnedNumber
    what: str = ""
    before: str = ""
    after: str = ""
    effect: Decimal | None = None

    @property
    def long(self) -> bool:
        """Does it need more than one line?"""
        return len(self.before + self.after) > LONG


@dataclass(frozen=True, slots=True)
class Section:
    """Some of the numbers of one kind, and how many there are."""

    rows: list[Change]
    count: int

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.rows)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the page of a run."""

    row: RunRow
    missing: Section
    held: Section
    changed: Section
    appeared: Section
    ended: Section
    found: Section
    missing_before: int

    @property
    def name(self) -> str:
        """What the run is called in a path."""
        return f"Run {self.row.run.pk}"


def report(run: SyncRun, now: datetime) -> Report:
    """The run and what it found; the number of queries does not grow with what it found."""
    events = _events(run)
    counts: Counter[str] = Counter(dict(events.values_list("verb").annotate(count=Count("pk")).order_by()))
    first = not SyncRun.objects.filter(status=RunStatus.COMPLETE, pk__lt=run.pk).exists()
    missing = _section(events, counts, ("number.missing",))
    return Report(
        row=run_row(run, now),
        missing=missing,
        held=_held(run),
        changed=_section(events, counts, CHANGES),
        appeared=_section(events, counts, ORIGINS, first_run=first),
        ended=_section(events, counts, GONE),
        found=_section(events, counts, ("number.found_again",)),
        missing_before=max(run.missing - missing.count, 0),
    )


def _events(run: SyncRun) -> QuerySet[AuditEvent]:
    """The run's own events; the times keep the query on an index."""
    events = AuditEvent.objects.filter(
        at__gte=run.started_at, related_type=SyncRun._meta.model_name, related_id=run.pk
    )
    return events.filter(at__lte=run.finished_at) if run.finished_at else events


def _section(
    events: QuerySet[AuditEvent], counts: Mapping[str, int], verbs: Iterable[str], first_run: bool = False
) -> Section:
    verbs = list(verbs)
    shown = list(events.filter(verb__in=verbs).order_by("id")[:SHOWN])
    owned = OwnedNumber.objects.select_related("owner").in_bulk({each.subject_id for each in shown})
    rows = [_change(each, owned[each.subject_id], first_run) for each in shown]
    return Section(rows, sum(counts.get(verb, 0) for verb in verbs))


def _held(run: SyncRun) -> Section:
    owned = OwnedNumber.objects.select_related("owner").in_bulk(run.held[:SHOWN])
    return Section([Change(owned[pk]) for pk in run.held[:SHOWN]], len(run.held))


def _change(event: AuditEvent, owned: OwnedNumber, first_run: bool) -> Change:
    if event.verb in ORIGINS:
        plain = first_run and event.verb == "number.appeared"
        return Change(owned, FIRST_RUN if plain else ORIGINS[event.verb])
    if event.verb not in CHANGES:
        return Change(owned)
    before, after = event.before or {}, event.after or {}
    return Change(
        owned,
        CHANGES[event.verb],
        _words(before, owned.currency),
        _words(after, owned.currency),
        _effect(before, after),
    )


def _words(facts: Mapping[str, Any], currency: str) -> str:
    """Changed facts in words, in the currency that they had."""
    currency = facts.get("currency", currency)
    said = [_one(name, value, currency) for name, value in facts.items()]
    return " · ".join(each for each in said if each) or "unknown"


def _one(name: str, value: Any, currency: str) -> str:
    if name == "price_per_month":
        return f"{money_text(_amount(value), currency)} per month"
    if name == "setup_price":
        return f"{money_text(_amount(value), currency)} set-up"
    if name == "currency":
        return str(value or "")
    if name == "capabilities":
        return ", ".join(capability_label(each) for each in str(value).split(",") if each) or "nothing"
    if name == "type":
        return type_name(str(value))
    if name == "shared":
        return "shared" if value else "not shared"
    return str(value)


def _amount(value: Any) -> Decimal | None:
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None


def _effect(before: Mapping[str, Any], after: Mapping[str, Any]) -> Decimal | None:
    """What the month costs more; None when the price did not change, or its currency did."""
    if "currency" in before:
        return None
    old, new = _amount(before.get("price_per_month")), _amount(after.get("price_per_month"))
    return None if old is None or new is None else new - old
